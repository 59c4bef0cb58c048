use countersign_shared::{
    Channel,
    send::SendResponse,
    session::{SessionResponse, SessionStatus},
};

use super::*;
use crate::state::{Ending, StepName};

const ID: &str = "8e712097-8090-4644-81e7-8f4265d8354e";
const NOW: Duration = Duration::from_secs(100);
const KEY: &str = "a-key-of-this-page";

fn id() -> SessionId {
    SessionId::parse(ID).unwrap()
}

fn after(seconds: u64) -> Duration {
    NOW + Duration::from_secs(seconds)
}

/// A flow whose code was just sent.
fn in_enter_code() -> Flow {
    let mut flow = Flow::default();
    let ticket = flow.begin(Task::Send).unwrap();
    let answer = SendResponse {
        session_uuid: id(),
        recipient: "+14155550123".to_owned(),
        channel: Channel::Sms,
        otp_length: 6,
        expires_at: "2026-11-24T10:00:00Z".to_owned(),
        expires_in: 600,
        resend_in: 30,
        checks_left: 5,
        next_actions: Vec::new(),
    };
    assert!(flow.sent(ticket, &answer, NOW));
    flow
}

fn stands(status: SessionStatus) -> SessionResponse {
    SessionResponse {
        session_uuid: id(),
        status,
        recipient: "+•••••••••23".to_owned(),
        channel: Channel::Sms,
        attempts: Vec::new(),
        otp_length: 6,
        expires_at: "2026-11-24T10:00:00Z".to_owned(),
        expires_in: 60,
        resend_in: 12,
        checks_left: 4,
        next_actions: Vec::new(),
    }
}

fn success() -> VerifyResponse {
    VerifyResponse {
        verified: true,
        message: String::new(),
        recipient: "+14155550123".to_owned(),
        proof: "a.b.c".to_owned(),
        expires_at: "2026-11-24T10:00:00Z".to_owned(),
    }
}

fn lost() -> Result<VerifyResponse, Failure> {
    Err(FailureKind::ServerUnreachable.into())
}

fn refused(code: ErrorCode) -> Result<VerifyResponse, Failure> {
    Err(FailureKind::Refused(code).into())
}

/// A flow that has just sent a code, and what it sent.
fn checking() -> (Flow, CheckRequest) {
    let mut flow = in_enter_code();
    let request = flow.begin_check("123456", KEY.to_owned(), NOW).unwrap();
    (flow, request)
}

/// The same once the answer was lost.
fn unanswered() -> (Flow, CheckRequest) {
    let (mut flow, request) = checking();
    assert_eq!(flow.checked(&request, &lost(), NOW), Checked::Open);
    (flow, request)
}

/// What it repeats at that moment.
fn repeated(flow: &mut Flow, now: Duration) -> CheckRequest {
    match flow.tick(now) {
        Some(Background::Repeat(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn proof(flow: &Flow) -> Option<&str> {
    match &flow.step {
        Step::Verified(verified) => Some(&verified.proof),
        Step::EnterPhone | Step::EnterCode(_) => None,
    }
}

#[test]
fn the_right_code_brings_the_proof() {
    let (mut flow, request) = checking();
    assert_eq!(
        flow.checked(&request, &Ok(success()), NOW),
        Checked::Verified
    );
    assert_eq!(proof(&flow), Some("a.b.c"));
    assert_eq!(flow.pending, None);
}

#[test]
fn a_lost_answer_is_repeated_under_its_key_until_it_comes() {
    let (mut flow, first) = unanswered();
    assert_eq!(flow.pending, None);
    assert!(flow.failure.is_some());
    let mut now = NOW;
    for interval in [1, 2, 4, 8, 8] {
        let almost = Duration::from_millis(interval * 1_000 - 1);
        assert_eq!(flow.tick(now + almost), None);
        now += Duration::from_secs(interval);
        let again = repeated(&mut flow, now);
        assert_eq!((&again.key, &again.otp), (&first.key, &first.otp));
        assert_eq!(again.ticket, None);
        flow.checked(&again, &lost(), now);
    }
    let again = repeated(&mut flow, now + Duration::from_secs(8));
    assert_eq!(flow.checked(&again, &Ok(success()), now), Checked::Verified);
    assert_eq!((proof(&flow), flow.failure), (Some("a.b.c"), None));
}

#[test]
fn what_the_repetitions_meet_is_told_once() {
    let (mut flow, _) = unanswered();
    let told = flow.failure;
    let again = repeated(&mut flow, after(1));
    flow.checked(&again, &Err(FailureKind::Offline.into()), after(1));
    assert_eq!(flow.failure, told);
}

#[test]
fn an_answer_that_takes_long_is_asked_for_beside_it() {
    let (mut flow, first) = checking();
    assert_eq!(flow.tick(after(4)), None);
    let beside = repeated(&mut flow, after(5));
    assert_eq!(beside.key, first.key);
    // The first one is still at it: nothing has gone wrong yet.
    let under_way = refused(ErrorCode::RequestUnderWay);
    flow.checked(&beside, &under_way, after(5));
    assert_eq!(flow.failure, None);
    assert!(flow.is_busy());
    // Whichever comes first counts, and the other one no more.
    let late = repeated(&mut flow, after(8));
    flow.checked(&late, &Ok(success()), after(8));
    assert_eq!(proof(&flow), Some("a.b.c"));
    assert_eq!(flow.checked(&first, &lost(), after(9)), Checked::Ignored);
    assert_eq!((proof(&flow), flow.failure), (Some("a.b.c"), None));
}

#[test]
fn a_session_that_is_over_waits_for_the_outstanding_answer() {
    for status in [SessionStatus::Verified, SessionStatus::ChecksExhausted] {
        let (mut flow, first) = unanswered();
        flow.follow(&stands(status), NOW);
        assert_eq!(flow.session().unwrap().ending, None);
        // At once: it may be that very check.
        let again = repeated(&mut flow, NOW);
        assert_eq!(again.key, first.key);
    }
    let resend = |code| {
        let (mut flow, _) = unanswered();
        let ticket = flow.begin(Task::Resend).unwrap();
        flow.failed(ticket, FailureKind::Refused(code).into(), NOW);
        (flow.session().unwrap().ending, flow.failure)
    };
    for code in [
        ErrorCode::SessionAlreadyVerified,
        ErrorCode::SessionExpired,
        ErrorCode::SessionNotFound,
        ErrorCode::ChecksExhausted,
    ] {
        assert_eq!(resend(code), (None, None), "{code:?}");
    }
}

#[test]
fn a_session_ends_by_its_time_only_once_nothing_is_outstanding() {
    let mut flow = in_enter_code();
    let request = flow.begin_check("123456", KEY.to_owned(), after(590));
    flow.checked(&request.unwrap(), &lost(), after(590));
    let again = repeated(&mut flow, after(601));
    assert_eq!(flow.tick(after(602)), None);
    assert_eq!(flow.session().unwrap().ending, None);
    flow.checked(&again, &Ok(success()), after(601));
    assert_eq!(proof(&flow), Some("a.b.c"));
}

#[test]
fn after_a_minute_it_is_given_up_and_the_session_is_looked_at() {
    let (mut flow, first) = unanswered();
    assert!(matches!(
        flow.tick(after(59)),
        Some(Background::Repeat(again)) if again.key == first.key
    ));
    assert_eq!(flow.tick(after(60)), Some(Background::FetchSession));
    assert_eq!(flow.check(), None);
    assert_eq!(flow.tick(after(120)), None);
    // Too late: no success without its proof.
    flow.follow(&stands(SessionStatus::Verified), after(60));
    let ending = flow.session().unwrap().ending;
    assert_eq!(ending, Some(Ending::AlreadyVerified));
    // It is a success all the same where the proof comes after all.
    assert_eq!(
        flow.checked(&first, &Ok(success()), after(61)),
        Checked::Verified
    );
}

#[test]
fn a_check_that_ends_later_is_kept_from_then_on() {
    let (mut flow, _) = unanswered();
    let again = repeated(&mut flow, after(20));
    flow.checked(&again, &refused(ErrorCode::RequestUnderWay), after(20));
    assert!(matches!(flow.tick(after(79)), Some(Background::Repeat(_))));
    assert_eq!(flow.tick(after(80)), Some(Background::FetchSession));
}

#[test]
fn what_is_said_of_the_repetition_alone_leaves_the_first_one_open() {
    for code in [
        ErrorCode::RateLimited,
        ErrorCode::TemporarilyUnavailable,
        ErrorCode::RequestTimeout,
        ErrorCode::InternalError,
    ] {
        let (mut flow, first) = unanswered();
        let again = repeated(&mut flow, after(1));
        let busy = Failure {
            retry_after: Some(7),
            ..FailureKind::Refused(code).into()
        };
        let checked = flow.checked(&again, &Err(busy), after(1));
        assert_eq!(checked, Checked::Open, "{code:?}");
        // When it is told to.
        assert_eq!(flow.tick(after(7)), None);
        assert_eq!(repeated(&mut flow, after(8)).key, first.key);
        // Of the first one it is an answer, and nothing is outstanding.
        let (mut flow, first) = checking();
        let checked = flow.checked(&first, &refused(code), NOW);
        assert_eq!((checked, flow.check()), (Checked::Refused, None));
        assert_eq!(flow.failure.unwrap().kind, FailureKind::Refused(code));
    }
}

#[test]
fn a_server_that_waited_too_long_is_asked_once_more() {
    let (mut flow, first) = checking();
    let timeout = refused(ErrorCode::UpstreamTimeout);
    assert_eq!(flow.checked(&first, &timeout, NOW), Checked::Open);
    assert_eq!(flow.failure, None);
    let again = repeated(&mut flow, after(1));
    assert_eq!(flow.checked(&again, &timeout, after(1)), Checked::Refused);
    let kind = FailureKind::Refused(ErrorCode::UpstreamTimeout);
    assert_eq!(flow.failure.unwrap().kind, kind);
}

#[test]
fn a_verdict_on_the_first_one_counts_wherever_it_comes() {
    let (mut flow, _) = unanswered();
    let again = repeated(&mut flow, after(1));
    let wrong = Failure {
        checks_left: Some(4),
        ..FailureKind::Refused(ErrorCode::OtpIncorrect).into()
    };
    let checked = flow.checked(&again, &Err(wrong), after(1));
    assert_eq!((checked, flow.check()), (Checked::Incorrect, None));
    assert_eq!(flow.failure, Some(wrong));
    assert_eq!(flow.session().unwrap().checks_left, Some(4));
    for (code, ending) in [
        (
            ErrorCode::SessionAlreadyVerified,
            Some(Ending::AlreadyVerified),
        ),
        (ErrorCode::SessionExpired, Some(Ending::Expired)),
        (ErrorCode::ChecksExhausted, Some(Ending::ChecksExhausted)),
        (ErrorCode::IdempotencyKeyReused, None),
    ] {
        let (mut flow, _) = unanswered();
        let again = repeated(&mut flow, after(1));
        let checked = flow.checked(&again, &refused(code), after(1));
        assert_eq!((checked, flow.check()), (Checked::Refused, None));
        assert_eq!(flow.session().unwrap().ending, ending);
    }
}

#[test]
fn a_press_repeats_what_is_outstanding_whatever_was_typed_since() {
    let (mut flow, first) = unanswered();
    for typed in ["123456", "654321"] {
        let pressed = flow.begin_check(typed, "another".to_owned(), NOW).unwrap();
        assert_eq!((&pressed.otp, &pressed.key), (&first.otp, &first.key));
        assert_eq!(flow.failure, None);
        flow.checked(&pressed, &lost(), NOW);
    }
    let pressed = flow.begin_check("654321", "another".to_owned(), NOW);
    let wrong = refused(ErrorCode::OtpIncorrect);
    flow.checked(&pressed.unwrap(), &wrong, NOW);
    let next = flow.begin_check("654321", "another".to_owned(), NOW);
    assert_eq!(next.unwrap().key, "another");
}

#[test]
fn a_reload_repeats_at_once_for_what_is_left_of_the_minute() {
    let resuming = |left| {
        let left = Duration::from_secs(left);
        let check = Check::resuming("123456".to_owned(), KEY.to_owned(), NOW, left);
        Flow::resuming(id(), "+•••••••••23".to_owned(), Some(check))
    };
    let mut flow = resuming(40);
    let again = repeated(&mut flow, NOW);
    assert_eq!((again.key.as_str(), again.otp.as_str()), (KEY, "123456"));
    // What is said of the session meanwhile does not count.
    let ticket = flow.begin(Task::Resume).unwrap();
    flow.resumed(ticket, &stands(SessionStatus::Verified), NOW);
    assert_eq!(flow.step.name(), StepName::EnterCode);
    let ticket = flow.begin(Task::Resume).unwrap();
    let gone = FailureKind::Refused(ErrorCode::SessionExpired);
    flow.failed(ticket, gone.into(), NOW);
    assert_eq!(flow.step.name(), StepName::EnterCode);
    let mut late = flow.clone();
    assert_eq!(late.tick(after(40)), Some(Background::FetchSession));
    assert_eq!(flow.checked(&again, &Ok(success()), NOW), Checked::Verified);
    // A clock that was put back adds nothing.
    assert_eq!(
        resuming(3_600).tick(after(60)),
        Some(Background::FetchSession)
    );
}

#[test]
fn a_network_that_is_back_is_used_at_once() {
    let (mut flow, _) = unanswered();
    assert!(flow.hurry(NOW));
    repeated(&mut flow, NOW);
    assert!(!in_enter_code().hurry(NOW));
}

#[test]
fn a_code_sent_once_more_leaves_the_check_outstanding_and_a_new_session_does_not() {
    let (mut flow, _) = unanswered();
    let ticket = flow.begin(Task::Resend).unwrap();
    let mut answer = SendResponse {
        session_uuid: id(),
        recipient: "+14155550123".to_owned(),
        channel: Channel::Voice,
        otp_length: 6,
        expires_at: "2026-11-24T10:00:00Z".to_owned(),
        expires_in: 600,
        resend_in: 30,
        checks_left: 5,
        next_actions: Vec::new(),
    };
    assert!(flow.sent(ticket, &answer, NOW));
    assert!(flow.check().is_some());
    answer.session_uuid = SessionId::from_random_bytes([1; 16]);
    let ticket = flow.begin(Task::Send).unwrap();
    assert!(flow.sent(ticket, &answer, NOW));
    assert_eq!(flow.check(), None);
}

#[test]
fn the_answer_to_a_check_that_was_left_does_not_count() {
    let (mut flow, request) = unanswered();
    flow.start_over();
    let before = flow.clone();
    for answer in [Ok(success()), lost(), refused(ErrorCode::OtpIncorrect)] {
        assert_eq!(flow.checked(&request, &answer, NOW), Checked::Ignored);
        assert_eq!(flow, before);
    }
}

#[test]
fn without_a_key_nothing_is_repeated() {
    let mut flow = in_enter_code();
    let request = flow.begin_check("123456", String::new(), NOW).unwrap();
    assert_eq!(flow.tick(NOW), Some(Background::FetchSession));
    assert_eq!(flow.checked(&request, &lost(), NOW), Checked::Refused);
    assert_eq!((flow.pending, flow.tick(after(5))), (None, None));
}
