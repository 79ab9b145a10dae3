//! Causes that are Forebay's own: its bounds, its end, and requests that nobody should get.

use super::{Cause, Row};

/// In the order of [`Cause`].
pub(super) static ROWS: [Row; 7] = [
    Row::new(Cause::QueueFull, "queue_full", "503", "503.1002")
        .win32(1816)
        .says("Too many requests are waiting for the application.")
        .likely(
            "Every worker has limits.in_flight_max (maxConcurrentRequestsPerProcess) requests, and limits.queue_max more \
             wait. The guide files this bound under 503.1000; what exceeding it gives is 503.1002.",
        )
        .remedy(
            "If workers are busy, let there be more of them (workers.count, nodeProcessCountPerApplication). If they wait \
             for others, raise limits.in_flight_max. Upgraded connections are not counted here.",
        ),
    Row::new(Cause::QueueTimeout, "queue_timeout", "503", "503.1002")
        .win32(1816)
        .says("The application is busy: the request waited too long for its turn.")
        .likely("Every worker had limits.in_flight_max requests for as long as limits.queue_timeout.")
        .remedy("As for queue_full; limits.queue_timeout is how long a request may wait. iisnode let none wait."),
    Row::new(Cause::Connections, "connections", "503", "503.1000")
        .win32(1816)
        .says("Too many clients are connected.")
        .likely(
            "A shard has limits.connections_max clients. The guide says of 503.1000 that there was no memory for another \
             connection and that maxConcurrentRequestsPerProcess helps; iisnode hardly ever gave it, and exceeding that \
             bound is 503.1002.",
        )
        .remedy("Raise limits.connections_max; a client costs about 1.5 KiB. Many idle ones end with \
                 limits.keep_alive_timeout."),
    Row::new(Cause::Stopping, "stopping", "503", "503.1001")
        .win32(1034)
        .says("The server is stopping.")
        .likely("The request came while Forebay was being stopped.")
        .remedy("Nothing: whoever balances the load sends it elsewhere, or the client comes again."),
    Row::new(Cause::Recycling, "recycling", "503", "503.1001")
        .win32(1034)
        .says("The application is being recycled.")
        .likely(
            "All workers were finishing what they had, and none had taken their place, for limits.ready_wait_timeout. A \
             reload or a watched file alone does not lead here: new workers are ready before old ones stop.",
        )
        .remedy("Forebay's log says why the new workers are not ready."),
    Row::new(Cause::Rejected, "rejected", "400", "400")
        .says("The request is not acceptable.")
        .likely(
            "The request was refused for what it is, with the status that fits: 400 malformed, 408 too slow, 413 body too \
             large, 414 and 431 head too large, 417, 501 unknown method, 505. The body of the answer says what is wrong.",
        )
        .remedy("The client's to put right. The bounds are those in the section `limits`."),
    Row::new(Cause::DebugRedirect, "debug_redirect", "301", "301")
        .says("The debugger is at this address with a slash behind it.")
        .likely("SCRIPT/debug was asked for, with debugger.enabled.")
        .remedy("Nothing: browsers follow."),
];
