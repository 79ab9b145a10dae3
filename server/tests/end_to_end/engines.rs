//! A part of the suite on every engine, whichever the rest of it runs on.

use super::setup::Engine;

macro_rules! on {
    ($($engine:ident as $name:ident),+: $bodies:tt) => { $(on!(@one $engine as $name: $bodies);)+ };
    (@one $engine:ident as $name:ident: { $($test:ident: $body:expr;)+ }) => {
        mod $name {
            use super::*;
            $(#[test]
            fn $test() {
                if Engine::chosen() != Engine::$engine {
                    $body(Engine::$engine);
                }
            })+
        }
    };
}

on!(Monoio as on_monoio, Compio as on_compio, Epoll as on_epoll: {
    streams_both_ways: crate::streaming::both_ways_at_once;
    carries_large_bodies: crate::streaming::large_bodies;
    stops_the_application_for_a_slow_client: crate::slow_peers::slow_client;
    stops_the_client_for_a_slow_application: crate::slow_peers::slow_application;
    notices_a_client_that_leaves_while_it_waits: crate::aborts::while_waiting;
    notices_a_client_that_leaves_its_upload: crate::aborts::while_uploading;
    carries_web_sockets: crate::upgrades::web_socket_conversation;
    carries_all_forms_of_responses: crate::messages::forms_of_responses;
    answers_pipelined_requests: crate::connections::pipelined;
    bounds_heads: crate::limits::heads;
    bounds_bodies: crate::limits::bodies;
    bounds_the_queue: crate::overload::queue_timeout;
    answers_for_dying_workers: crate::overload::dying;
    survives_kills: |engine| crate::crashes::killed_under_load(engine, 2);
    survives_reloads: |engine| crate::reloads::under_load(engine, 2);
    drains: crate::stops::drains;
    serves_a_thousand_resting_clients: crate::connections::thousand;
});
