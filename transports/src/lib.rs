//! The seam to the world.
