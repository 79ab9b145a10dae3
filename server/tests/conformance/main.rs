//! What iisnode's own functional tests ask for, asked of `forebay run DIR` with the same folders: one module a group,
//! one test a row. Numbers in names are upstream's.
#![expect(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

#[path = "../end_to_end/client.rs"]
#[expect(dead_code, reason = "shared with another test target that uses all of it")]
mod client;
mod configuration;
#[cfg(unix)]
mod life;
mod requests;
#[path = "../end_to_end/response.rs"]
#[expect(dead_code, reason = "shared with another test target that uses all of it")]
mod response;
#[path = "../end_to_end/server.rs"]
#[expect(dead_code, reason = "shared with another test target that uses all of it")]
mod server;
mod site;
#[path = "../end_to_end/system/mod.rs"]
mod system;
#[path = "../end_to_end/wait.rs"]
mod wait;
mod who_answers;
