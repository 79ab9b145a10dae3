//! The model of two pipe ends: under any schedule they agree, and things get done.

use forebay_core::pipe::WINDOW_BYTES_MIN;
use forebay_fuzz::model::World;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// No stream is stuck, no byte goes astray, no end takes the other for faulty, whatever is sent, given up, used
    /// and delivered when.
    #[test]
    fn two_ends_agree_under_any_schedule(
        script in proptest::collection::vec(any::<[u8; 3]>(), 0..400),
        streams_max in 1..6_u16,
        windows in (0..3_usize, 0..3_usize),
    ) {
        const WINDOWS: [u32; 3] = [WINDOW_BYTES_MIN, 3000, 256 * 1024];
        let mut world = World::new(streams_max, WINDOWS[windows.0], WINDOWS[windows.1]);
        for step in script {
            world.step(step);
        }
        world.settle();
    }
}

#[test]
fn the_model_gets_things_done() {
    let mut world = World::new(4, 2048, 2048);
    let mut seed = 7_u32;
    for _ in 0..20_000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [_, a, b, c] = seed.to_le_bytes();
        world.step([a, b, c]);
    }
    world.settle();
    assert!(world.completed() > 100, "{}", world.completed());
}
