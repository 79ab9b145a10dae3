//! The data plane: one pinned thread with one ring per vCPU.
