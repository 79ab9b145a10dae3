//! `iisnode-debug`: what the server knows about who answered, in every response of a worker.

use super::setup::Setup;
use super::wait::until_some;

const FIELDS: &[&str] = &[
    "iisnode_ver",
    "node",
    "dns",
    "worker_pid",
    "node_pid",
    "worker_mem_ws",
    "worker_mem_pagefile",
    "node_mem_ws",
    "node_mem_pagefile",
    "app_processes",
    "process_active_req",
    "app_active_req",
    "worker_total_req",
    "np_retry",
    "req_time",
    "hresult",
];

#[test]
pub(crate) fn it_has_iisnodes_fields_in_their_order() {
    let server = Setup::new("lab.cjs").set("response.debug_header", true).start();
    let mut client = server.connect();
    let pid = client.get("/info").json()["pid"].to_string();
    // The supervisor looks once a second.
    let fields: Vec<(String, String)> = until_some("the process was looked at", || {
        let header = client.get("/slow?ms=30").field("iisnode-debug").unwrap();
        let fields = header.strip_prefix("http://bit.ly/NsU2nd#").unwrap().split('&');
        let fields: Vec<_> = fields.map(|field| field.split_once('=').unwrap()).collect();
        let fields: Vec<_> = fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let value = |name: &str| fields.iter().find(|(it, _)| it == name).map(|(_, value)| value.clone()).unwrap();
        // The first look may have met it at its very beginning.
        let is_known = value("node_pid") == pid && value("node_mem_pagefile").parse::<u64>().unwrap() > 4000;
        is_known.then_some(fields)
    });
    let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, FIELDS);
    let number = |name: &str| fields.iter().find(|(it, _)| it == name).unwrap().1.parse::<u64>().unwrap();
    assert_eq!(number("worker_pid"), u64::from(server.pid()));
    assert!(number("worker_mem_ws") > 1000 && number("node_mem_ws") > 1000);
    assert_eq!((number("app_processes"), number("process_active_req"), number("app_active_req")), (1, 1, 1));
    assert!(number("worker_total_req") >= 2 && number("req_time") >= 29 && number("req_time") < 20_000);
    assert_eq!((number("np_retry"), number("hresult")), (0, 0));
    // Its own answers have none.
    assert_eq!(client.post("/die", "x").field("iisnode-debug"), None);
    server.stop();
}

#[test]
fn it_is_off_unless_asked_for() {
    let server = Setup::new("lab.cjs").start();
    assert_eq!(server.connect().get("/").field("iisnode-debug"), None);
    server.stop();
}
