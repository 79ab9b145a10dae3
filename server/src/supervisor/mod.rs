//! The control plane: starts, watches and replaces workers.
