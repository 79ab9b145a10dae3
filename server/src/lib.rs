//! Forebay, the server.
