//! The contract of `contract.rs`, sentence by sentence, against every back end.
//!
//! A test is a generic async function in one of the modules; the macro at the end makes it a test of every back end,
//! each run on a thread and in a runtime of its own. Stream tests run three times, on a client's connection, on
//! one to a worker and on one from a worker, and after each all buffers must be home.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may panic as tests do")]

mod backends;
mod engine;
mod enter;
mod harness;
mod listen;
mod streams;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

/// Tests of every kind of connection, then tests that need the engine only.
macro_rules! tests {
    (streams: $($name:ident,)*) => {
        $(#[test]
        fn $name() {
            backend::run(|| async {
                let pool = Pool::new(1 << 20);
                let (client, ours) = harness::clients::<Backend>().await;
                streams::$name::<Backend, _, _>(ours, client, pool.clone()).await;
                harness::all_home::<Backend>(&pool).await;
                let (ours, worker) = harness::workers::<Backend>().await;
                streams::$name::<Backend, _, _>(ours, worker, pool.clone()).await;
                harness::all_home::<Backend>(&pool).await;
                let (ours, worker) = harness::entered::<Backend>().await;
                streams::$name::<Backend, _, _>(ours, worker, pool.clone()).await;
                harness::all_home::<Backend>(&pool).await;
            });
        })*
    };
    ($module:ident: $($name:ident,)*) => {
        $(#[test]
        fn $name() {
            backend::run($module::$name::<Backend>);
        })*
    };
}

/// Makes one module of tests for each back end.
macro_rules! suite {
    ($($backend:ident)*) => {
        $(mod $backend {
            use forebay_core::buf::Pool;

            use super::backends::$backend as backend;
            use super::{engine, enter, harness, listen, streams};
            use backend::Backend;

            tests! { streams:
                a_read_appends,
                a_read_completes_with_what_is_there,
                a_read_waits_for_the_first_byte,
                a_read_fills_what_room_there_is,
                the_end_comes_after_all_bytes,
                finishing_leaves_the_other_direction_open,
                nothing_is_written_after_finishing,
                an_abort_completes_a_read_in_flight,
                an_abort_completes_a_write_in_flight,
                after_an_abort_operations_complete_at_once,
                an_abort_ends_the_peers_stream,
                a_reset_completes_what_is_in_flight,
                after_a_reset_operations_complete_at_once,
                a_quiet_connection_is_open_and_has_nothing_to_read,
                short_writes_carry_every_byte_in_order,
                a_burst_of_writes_is_as_many_writes,
                a_burst_ends_with_its_connection,
                a_reset_ends_a_burst,
                a_write_takes_from_the_front_and_keeps_the_rest,
                a_dead_peer_is_an_error,
                a_peer_that_left_bytes_unread_is_an_error,
                both_directions_are_independent,
                a_read_dropped_in_flight_harms_nothing,
            }

            tests! { listen:
                accepting_tells_both_addresses,
                clients_are_not_delayed,
                closing_completes_an_accept_in_flight,
                a_closed_listener_refuses_clients,
                a_client_is_told_of_a_reset,
                shards_share_one_address,
                a_closed_shard_leaves_its_clients_to_the_others,
                an_address_in_use_is_an_error,
                an_address_is_free_again_after_use,
                a_thousand_connections,
            }

            tests! { enter:
                workers_enter_in_order_and_may_write_first,
                an_accept_waits_for_a_worker,
                closing_completes_the_accept_of_a_worker,
                a_closed_entrance_refuses_workers_and_keeps_those_it_has,
                who_was_not_accepted_is_cut_off,
                a_dropped_entrance_is_not_found,
                an_entrance_in_use_is_an_error,
                what_the_dead_left_is_replaced,
                a_late_drop_leaves_the_next_entrance_alone,
            }

            tests! { engine:
                dialling_nobody_is_not_found,
                dialling_the_dead_is_refused,
                a_dial_times_out_at_its_deadline,
                sleepers_wake_in_order_and_never_early,
                a_sleep_may_be_dropped,
                time_does_not_run_backwards,
                a_panic_ends_one_task_alone,
                tasks_left_over_are_dropped,
                what_tasks_left_over_had_in_flight_comes_home,
                tasks_that_yield_starve_neither_tasks_nor_io,
            }
        })*
    };
}

#[cfg(target_os = "linux")]
suite! { io_uring epoll compio_io_uring }

#[cfg(windows)]
suite! { compio_iocp }

suite! { sim }
