//! What must hold after the process was killed.

use plivo_simulator::Simulator;

use super::{Caller, Death, Scene, dying::Left, wrong};

/// Checks what must hold for the next process after a death at that point.
pub(super) async fn holds_afterwards(
    scene: Scene,
    death: Death,
    left: &Left,
    next: &Caller,
    plivo: &Simulator,
) {
    let at = format!("{scene:?} {death:?}");
    // The first commit reserves, the second records or settles.
    let is_reserved = death.commit > 1 || death.after;
    let is_recorded = !left.killed || death.commit > 2 || (death.commit == 2 && death.after);
    match scene {
        Scene::Send | Scene::Resend => {
            let (status, _) = next.act(scene, &left.session, "").await;
            assert_eq!(status, if is_reserved { 429 } else { 200 }, "{at}");
            let creates = if scene == Scene::Send { 1 } else { 2 };
            assert!(plivo.calls().create <= creates, "{at}");
        }
        Scene::KeyedSend => {
            let (status, answer) = next.act(scene, "", "").await;
            // The answer, or that the send still seems to be in progress.
            let known = is_recorded || !is_reserved;
            assert_eq!(status, if known { 200 } else { 409 }, "{at} {answer}");
            let (status, _) = next.act(Scene::Send, "", "").await;
            assert_eq!(status, 429, "{at}");
            assert!(plivo.calls().create <= 1, "{at}");
        }
        Scene::WrongCheck => {
            let mut answers = usize::from(left.answered == Some(400));
            for _ in 0..7 {
                let (status, _) = next.act(scene, &left.session, &wrong(&left.otp)).await;
                answers += usize::from(status == 400);
            }
            assert!(plivo.calls().validate <= 5, "{at}");
            assert_eq!(
                answers,
                if is_reserved && left.killed { 4 } else { 5 },
                "{at}"
            );
        }
        Scene::RightCheck => {
            let mut successes = usize::from(left.answered == Some(200));
            for _ in 0..3 {
                let (status, _) = next.act(scene, &left.session, &left.otp).await;
                successes += usize::from(status == 200);
            }
            assert!(successes <= 1, "{at}");
            assert!(is_reserved || successes == 1, "{at}");
        }
        Scene::KeyedCheck => {
            let (status, first) = next.act(scene, &left.session, &left.otp).await;
            let (again, second) = next.act(scene, &left.session, &left.otp).await;
            // The same proof, or that the check still seems to be in progress.
            let known = is_recorded || !is_reserved;
            assert_eq!(status, if known { 200 } else { 409 }, "{at} {first}");
            assert_eq!((status, &first["proof"]), (again, &second["proof"]), "{at}");
            assert!(plivo.calls().validate <= 1, "{at}");
        }
    }
}
