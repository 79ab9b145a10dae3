//! Generators, reference models and invariant checkers for the tests of other crates.
