//! The README's table of iisnode's statuses, and the tests that hold it to its word.

use std::fmt::Write as _;

use super::{Shown, TABLE};

/// iisnode's codes, with a test that brings each about: those of a log only, of a page, and those that cannot come.
const CODES: [(&str, &str); 25] = [
    ("500.1000", "a_program_that_is_missing_is_1000"),
    ("500.1001", "one_that_does_not_listen_is_1001"),
    ("500.1002", "an_application_that_ends_at_once_is_1002_and_is_not_waited_for"),
    ("500.1003", "every_sub_status_of_iisnode_can_be_reached_or_says_why_not"),
    ("500.1004", "an_end_before_the_answer_is_called_by_how_far_the_request_had_come"),
    ("500.1005", "a_head_that_does_not_fit_the_workers_form_is_1005"),
    ("500.1006", "a_worker_that_closes_without_reading_is_1006"),
    ("500.1007", "without_room_it_is_1002_and_the_client_may_leave_meanwhile"),
    ("500.1008", "a_client_that_leaves_is_logged_with_what_it_was_about"),
    ("500.1009", "each_stage_before_the_answer_has_a_number_of_its_own"),
    ("500.1010", "each_stage_before_the_answer_has_a_number_of_its_own"),
    ("500.1011", "a_request_that_kills_its_worker_has_a_number_for_how_far_it_came"),
    ("500.1012", "what_is_no_response_is_called_by_what_is_wrong_with_it"),
    ("500.1013", "each_stage_before_the_answer_has_a_number_of_its_own"),
    ("500.1014", "each_stage_before_the_answer_has_a_number_of_its_own"),
    ("500.1015", "a_response_that_is_cut_has_its_sub_status_in_the_log_alone"),
    ("500.1016", "a_response_that_is_cut_has_its_sub_status_in_the_log_alone"),
    ("500.1017", "a_client_that_leaves_is_logged_with_what_it_was_about"),
    ("500.1018", "a_client_that_takes_nothing_is_1018"),
    ("503.1000", "too_many_clients_are_1000"),
    ("503.1001", "who_waits_when_the_server_stops_is_told_1001"),
    ("503.1002", "without_room_it_is_1002_and_the_client_may_leave_meanwhile"),
    ("503.1003", "a_worker_that_takes_no_connection_is_1003"),
    ("404", "a_script_that_is_missing_is_404"),
    ("301", "t109_the_debugger_from_start_to_end"),
];

/// A table in Markdown: each of iisnode's codes, what it is natively, and when it comes.
#[must_use]
pub fn statuses_markdown() -> String {
    let mut out = String::from("| iisnode | natively | | when |\n|---|---|---|---|\n");
    for (code, _) in CODES {
        let rows: Vec<_> = TABLE.iter().filter(|row| row.iisnode.text == code).collect();
        let is_never = rows.iter().all(|row| row.shown == Shown::Never);
        let is_logged = rows.iter().all(|row| row.shown == Shown::Logged);
        let standing = match () {
            () if is_never => "explained",
            () if rows.len() > 1 => "better",
            () => "supported",
        };
        let mut native: Vec<_> = rows.iter().map(|row| row.native.text).filter(|text| !text.is_empty()).collect();
        native.dedup();
        let native = if is_logged { "log only".to_owned() } else { native.join(", ") };
        // The names are what `forebay explain` and the log know a cause by.
        let when: Vec<_> = rows.iter().map(|row| format!("`{}`: {}", row.name, first_sentence(row.likely))).collect();
        let _infallible = writeln!(out, "| {code} | {native} | {standing} | {} |", when.join("<br>"));
    }
    out
}

/// The tests, by code, for a test that looks for them.
#[must_use]
pub fn statuses_tests() -> Vec<(&'static str, &'static str)> {
    CODES.to_vec()
}

fn first_sentence(text: &str) -> &str {
    text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.')
}
