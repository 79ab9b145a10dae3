//! Where the configuration comes from: web.config, iisnode.yml, appSettings, variables.

use super::site::{COUNTER, Site, web_config};

#[test]
fn t101_one_process_answers_in_sequence() {
    let site = Site::new().file("server.js", COUNTER).file("web.config", web_config("server.js", ""));
    let served = site.arg("--workers").arg("1").start();
    assert_eq!(served.bodies("/server.js", 3), ["Hello, world 1", "Hello, world 2", "Hello, world 3"]);
    served.stop();
}
