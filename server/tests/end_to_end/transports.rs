//! A part of the suite with workers that are fed over HTTP. The rest runs as the server does: with frames.

use super::setup::{Engine, Transport};

macro_rules! over_http {
    ($($module:ident: { $($test:ident)+ })+) => {
        $(mod $module {
            $(#[test]
            fn $test() {
                super::Transport::Http.run(crate::$module::$test);
            })+
        })+
    };
}

over_http! {
    aborts: {
        a_client_that_leaves_while_it_waits_is_noticed
        a_client_that_leaves_a_stream_is_noticed
        a_client_that_leaves_a_large_response_is_noticed
        a_client_that_leaves_its_upload_is_noticed
        an_unfinished_chunked_upload_is_not_taken_for_a_complete_one
        a_client_that_resets_its_connection_is_noticed
        a_client_that_leaves_the_queue_makes_room
    }
    causes: {
        a_request_that_kills_its_worker_has_a_number_for_how_far_it_came
        a_head_that_does_not_fit_the_workers_form_is_1005
    }
    debug_header: {
        it_has_iisnodes_fields_in_their_order
    }
    dispatching: {
        each_worker_has_its_turn
        a_cookie_ties_a_client_to_its_worker
    }
    forwarding: {
        a_trusted_list_is_extended_once
        server_variables_are_told_and_cannot_be_forged
    }
    streaming: {
        a_body_is_echoed_piece_by_piece_while_it_is_sent
        a_body_of_known_length_is_passed_on_before_it_is_complete
        server_sent_events_are_flushed_one_by_one
        large_uploads_and_downloads_arrive_as_they_were_sent
        an_upload_in_single_bytes_arrives
        small_pieces_are_gathered_where_that_is_asked_for
    }
    upgrades: {
        a_web_socket_carries_frames_both_ways_and_is_closed
        frames_sent_with_the_handshake_are_not_lost
        any_other_protocol_is_passed_on_too_and_each_direction_ends_for_itself
        a_refused_upgrade_is_an_ordinary_response
        an_upgrade_to_http_2_is_not_offered_to_the_application
        clients_and_applications_that_vanish_end_their_tunnels
        tunnels_do_not_count_as_requests_in_flight
    }
    messages: {
        responses_without_a_body_leave_the_connection_usable
        trailers_pass_in_both_directions
        early_hints_reach_the_client_before_the_response
        a_client_that_asks_first_is_told_to_continue
        a_body_that_is_refused_before_it_is_sent_is_not_waited_for
        an_answer_before_the_end_of_the_upload_reaches_the_client
        clients_of_http_1_0_get_what_they_understand
        a_body_that_ends_with_the_connection_does_so_for_the_client
        every_method_and_an_odd_target_arrive_as_they_were_sent
    }
    overload: {
        beyond_the_queue_requests_are_refused_at_once
        requests_that_wait_too_long_for_their_turn_are_refused
        requests_in_the_queue_are_served_in_the_order_of_arrival
        without_a_worker_requests_are_refused_after_a_while
        beyond_the_bound_clients_are_told_so_and_closed
        a_silent_worker_is_answered_for_with_504
        something_that_is_no_response_is_answered_for_with_502
        a_worker_that_dies_costs_a_post_an_answer_and_a_get_nothing
        a_response_that_was_begun_by_a_dying_worker_is_cut_and_looks_so
    }
    limits: {
        heads_that_are_too_large_are_refused
        bodies_that_are_too_large_are_refused_by_length_and_by_count
        a_body_that_does_not_come_to_its_end_is_answered_with_408
        a_response_that_stands_still_is_cut
        a_silent_tunnel_is_closed
    }
    crashes: {
        killing_a_worker_fails_no_request_on_a_connection_of_its_own
        killing_the_only_worker_makes_requests_wait
    }
    reloads: {
        a_request_in_flight_is_finished_by_the_old_worker
    }
    stops: {
        a_slow_request_is_finished_before_the_end
        upgraded_connections_do_not_hold_up_the_end_and_their_application_may_say_goodbye
        an_application_that_waits_for_its_connections_ends_soon
    }
    connections: {
        a_client_or_an_application_that_wants_to_close_is_obeyed
        one_connection_serves_many_requests_and_reuses_one_to_the_worker
        posts_after_a_rest_never_meet_a_connection_that_the_worker_is_closing
        posts_after_a_rest_never_meet_a_connection_of_a_worker_that_closes_at_once
        what_a_worker_says_unasked_is_nobodys_answer
    }
    slow_peers: {
        a_client_that_does_not_read_stops_the_application
        an_application_that_does_not_read_stops_the_client
    }
}

#[test]
fn survives_kills() {
    Transport::Http.run(|| crate::crashes::killed_under_load(Engine::chosen(), 2));
}

#[test]
fn survives_reloads() {
    Transport::Http.run(|| crate::reloads::under_load(Engine::chosen(), 2));
}
