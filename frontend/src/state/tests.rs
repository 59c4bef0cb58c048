use countersign_shared::{
    Channel, PhoneNumber, Problem,
    session::{Attempt, AttemptStatus},
};

use super::*;

const ID: &str = "8e712097-8090-4644-81e7-8f4265d8354e";
const NOW: Duration = Duration::from_secs(100);

fn id() -> SessionId {
    SessionId::parse(ID).unwrap()
}

fn send_response() -> SendResponse {
    SendResponse {
        session_uuid: id(),
        recipient: "+14155550123".to_owned(),
        channel: Channel::Sms,
        otp_length: 6,
        expires_at: "2026-11-24T10:00:00Z".to_owned(),
        expires_in: 600,
        resend_in: 30,
        checks_left: 5,
        next_actions: Vec::new(),
    }
}

fn session_response(status: SessionStatus) -> SessionResponse {
    SessionResponse {
        session_uuid: id(),
        status,
        recipient: "+•••••••••23".to_owned(),
        channel: Channel::Voice,
        attempts: vec![Attempt {
            channel: Channel::Voice,
            status: AttemptStatus::Delivered,
            reason: None,
            requested_at: "2026-11-24T09:50:00Z".to_owned(),
        }],
        otp_length: 7,
        expires_at: "2026-11-24T10:00:00Z".to_owned(),
        expires_in: 60,
        resend_in: 12,
        checks_left: 3,
        next_actions: Vec::new(),
    }
}

fn refusal(code: ErrorCode) -> Failure {
    FailureKind::Refused(code).into()
}

/// A flow whose code was just sent.
fn in_enter_code() -> Flow {
    let mut flow = Flow::default();
    let ticket = flow.begin(Task::Send).unwrap();
    assert!(flow.sent(ticket, &send_response(), NOW));
    flow
}

fn fail(flow: &mut Flow, task: Task, failure: Failure) {
    if task == Task::Verify {
        let request = flow.begin_check("123456", "key".to_owned(), NOW).unwrap();
        flow.checked(&request, &Err(failure), NOW);
        return;
    }
    let ticket = flow.begin(task).unwrap();
    assert!(flow.failed(ticket, failure, NOW));
}

#[test]
fn a_sent_code_leads_to_the_code_with_the_servers_times() {
    let flow = in_enter_code();
    assert_eq!(flow.step.name(), StepName::EnterCode);
    assert_eq!(flow.pending, None);
    let session = flow.session().unwrap();
    assert_eq!(session.resend_in(NOW), Some(30));
    assert_eq!(session.expires_in(NOW + Duration::from_secs(599)), Some(1));
    assert_eq!(session.recipient.masked(), "+•••••••••23");
}

#[test]
fn one_task_at_a_time() {
    let mut flow = in_enter_code();
    let ticket = flow.begin(Task::Resend).unwrap();
    for task in [Task::Verify, Task::Resend, Task::Send] {
        assert_eq!(flow.begin(task), None);
    }
    assert_eq!(flow.begin_check("123456", "key".to_owned(), NOW), None);
    assert!(flow.sent(ticket, &send_response(), NOW));
    assert_eq!(flow.pending, None);
}

#[test]
fn the_answer_to_a_task_that_was_left_does_not_count() {
    let mut flow = in_enter_code();
    let left = flow.begin(Task::Resend).unwrap();
    flow.start_over();
    assert!(!flow.failed(left, refusal(ErrorCode::RateLimited), NOW));
    let newer = flow.begin(Task::Send).unwrap();
    assert!(!flow.failed(left, refusal(ErrorCode::RateLimited), NOW));
    assert_eq!(flow.failure, None);
    assert_eq!(flow.pending, Some(newer));
}

#[test]
fn a_failed_send_stays_where_it_was_and_a_retry_clears_it() {
    let mut flow = Flow::default();
    fail(&mut flow, Task::Send, FailureKind::Offline.into());
    assert_eq!(flow.step, Step::EnterPhone);
    assert!(flow.failure.unwrap().is_unanswered());
    flow.begin(Task::Send).unwrap();
    assert_eq!(flow.failure, None);
}

#[test]
fn a_wrong_code_leaves_the_session_and_says_what_is_left() {
    let mut flow = in_enter_code();
    let wrong = Failure {
        checks_left: Some(4),
        ..refusal(ErrorCode::OtpIncorrect)
    };
    fail(&mut flow, Task::Verify, wrong);
    assert_eq!(flow.failure, Some(wrong));
    let session = flow.session().unwrap();
    assert_eq!((session.checks_left, session.ending), (Some(4), None));
}

#[test]
fn the_last_wrong_code_ends_the_session() {
    let last = Failure {
        checks_left: Some(0),
        ..refusal(ErrorCode::OtpIncorrect)
    };
    for failure in [last, refusal(ErrorCode::ChecksExhausted)] {
        let mut flow = in_enter_code();
        fail(&mut flow, Task::Verify, failure);
        assert_eq!(
            flow.session().unwrap().ending,
            Some(Ending::ChecksExhausted)
        );
        let kind = FailureKind::Refused(ErrorCode::ChecksExhausted);
        assert_eq!(flow.failure.unwrap().kind, kind);
    }
}

#[test]
fn a_session_the_server_has_forgotten_is_expired() {
    for code in [ErrorCode::SessionExpired, ErrorCode::SessionNotFound] {
        let mut flow = in_enter_code();
        fail(&mut flow, Task::Verify, refusal(code));
        assert_eq!(flow.session().unwrap().ending, Some(Ending::Expired));
    }
    let mut flow = in_enter_code();
    fail(
        &mut flow,
        Task::Verify,
        refusal(ErrorCode::SessionAlreadyVerified),
    );
    assert_eq!(
        flow.session().unwrap().ending,
        Some(Ending::AlreadyVerified)
    );
}

#[test]
fn a_refused_resend_moves_the_countdown_and_nothing_else_does() {
    let limited = Failure {
        retry_after: Some(90),
        ..refusal(ErrorCode::RateLimited)
    };
    let mut flow = in_enter_code();
    fail(&mut flow, Task::Resend, limited);
    assert_eq!(flow.session().unwrap().resend_in(NOW), Some(90));
    let mut flow = in_enter_code();
    fail(&mut flow, Task::Verify, limited);
    assert_eq!(flow.session().unwrap().resend_in(NOW), Some(30));
}

#[test]
fn time_ends_a_session_once() {
    let mut flow = in_enter_code();
    let before = NOW + Duration::from_millis(599_999);
    let end = NOW + Duration::from_mins(10);
    assert!(!flow.is_due(before));
    assert_eq!(flow.tick(before), None);
    assert_eq!(flow.failure, None);
    assert!(flow.is_due(end));
    assert_eq!(flow.tick(end), None);
    assert_eq!(flow.session().unwrap().ending, Some(Ending::Expired));
    assert_eq!(flow.failure, Some(refusal(ErrorCode::SessionExpired)));
    assert!(!flow.is_due(end));
}

#[test]
fn a_new_code_after_the_end_is_a_new_session() {
    let mut flow = in_enter_code();
    flow.tick(NOW + Duration::from_mins(10));
    let ticket = flow.begin(Task::Send).unwrap();
    flow.sent(ticket, &send_response(), NOW + Duration::from_secs(601));
    assert_eq!(flow.session().unwrap().ending, None);
    assert_eq!(flow.failure, None);
}

#[test]
fn a_reload_resumes_the_session() {
    let mut flow = Flow::resuming(id(), "+•••••••••23".to_owned(), None);
    assert_eq!(flow.session().unwrap().resend_in(NOW), None);
    let ticket = flow.begin(Task::Resume).unwrap();
    flow.resumed(ticket, &session_response(SessionStatus::Pending), NOW);
    let session = flow.session().unwrap();
    assert_eq!(session.resend_in(NOW), Some(12));
    assert_eq!(
        (session.otp_length, session.checks_left),
        (Some(7), Some(3))
    );
    assert_eq!(session.delivery(), Some(AttemptStatus::Delivered));
    assert_eq!(session.resend_by_in(Channel::Voice, NOW), Some(12));
}

#[test]
fn resuming_gives_way_to_the_person() {
    let mut flow = Flow::resuming(id(), "+•••••••••23".to_owned(), None);
    let resume = flow.begin(Task::Resume).unwrap();
    assert!(!flow.is_busy());
    let verify = flow.begin(Task::Verify).unwrap();
    flow.resumed(resume, &session_response(SessionStatus::Verified), NOW);
    assert_eq!(flow.pending, Some(verify));
}

#[test]
fn a_reload_finds_a_session_that_is_over() {
    let resume = |status| {
        let mut flow = Flow::resuming(id(), "+•••••••••23".to_owned(), None);
        let ticket = flow.begin(Task::Resume).unwrap();
        flow.resumed(ticket, &session_response(status), NOW);
        flow
    };
    // Its proof went elsewhere: that is no success of this page's.
    let verified = resume(SessionStatus::Verified);
    assert_eq!(
        verified.session().unwrap().ending,
        Some(Ending::AlreadyVerified)
    );
    let code = ErrorCode::SessionAlreadyVerified;
    assert_eq!(verified.failure, Some(refusal(code)));
    let exhausted = resume(SessionStatus::ChecksExhausted);
    assert_eq!(
        exhausted.session().unwrap().ending,
        Some(Ending::ChecksExhausted)
    );
    assert!(exhausted.failure.is_some());
}

#[test]
fn a_reload_of_a_forgotten_session_begins_again_and_says_why() {
    for code in [ErrorCode::SessionExpired, ErrorCode::SessionNotFound] {
        let mut flow = Flow::resuming(id(), "+•••••••••23".to_owned(), None);
        fail(&mut flow, Task::Resume, refusal(code));
        assert_eq!(flow.step, Step::EnterPhone);
        assert_eq!(flow.failure, Some(refusal(code)));
    }
    let mut flow = Flow::resuming(id(), "+•••••••••23".to_owned(), None);
    fail(&mut flow, Task::Resume, FailureKind::Offline.into());
    assert_eq!(flow.step.name(), StepName::EnterCode);
}

#[test]
fn news_of_another_session_is_not_followed() {
    let mut flow = in_enter_code();
    let mut other = session_response(SessionStatus::Verified);
    other.session_uuid = SessionId::from_random_bytes([1; 16]);
    let before = flow.clone();
    flow.follow(&other, NOW);
    assert_eq!(flow, before);
}

#[test]
fn news_of_a_delivery_does_not_close_an_open_resend() {
    let mut flow = in_enter_code();
    let mut delivered = session_response(SessionStatus::Pending);
    delivered.resend_in = 0;
    let later = NOW + Duration::from_mins(1);
    flow.follow(&delivered, later);
    // The time that is shown lags behind the clock by a tick.
    let shown = later.checked_sub(Duration::from_millis(200)).unwrap();
    assert_eq!(flow.session().unwrap().resend_in(shown), Some(0));
}

#[test]
fn a_message_belongs_to_its_recipient_even_when_masked() {
    let known = Recipient::Known(PhoneNumber::parse("+14155550123").unwrap());
    let masked = Recipient::Masked(known.masked());
    for recipient in [known, masked] {
        assert!(recipient.may_be("+14155550123"));
        assert!(!recipient.may_be("+14155550199"));
        assert!(!recipient.may_be("+1415550123"));
        assert!(!recipient.may_be("nonsense"));
    }
}

#[test]
fn a_problem_keeps_its_numbers() {
    let problem: Problem = serde_json::from_str(
        r#"{"type":"urn:x","title":"","status":429,"detail":"","message":"",
            "code":"rate_limited","retry_after":7,"checks_left":2}"#,
    )
    .unwrap();
    let failure = Failure::from(&problem);
    assert_eq!(failure.kind, FailureKind::Refused(ErrorCode::RateLimited));
    assert_eq!(
        (failure.retry_after, failure.checks_left),
        (Some(7), Some(2))
    );
}

#[test]
fn support_is_told_the_request_of_what_a_person_cannot_mend() {
    let failure = |code: &str, id: &str| {
        let json = format!(
            r#"{{"type":"urn:x","title":"","status":500,"detail":"","message":"",
                "code":"{code}","request_id":"{id}"}}"#
        );
        let problem: Problem = serde_json::from_str(&json).unwrap();
        Failure::from(&problem).request_id.map(|id| id.to_string())
    };
    let id = "00f3a1b2c3d4e5f6";
    for code in ["internal_error", "upstream_error", "rate_limited"] {
        assert_eq!(failure(code, id).as_deref(), Some(id), "{code}");
    }
    for code in ["otp_incorrect", "recipient_invalid", "session_expired"] {
        assert_eq!(failure(code, id), None, "{code}");
    }
    // Only what can be an id of the service's is shown.
    assert_eq!(failure("internal_error", "<b>nonsense</b>"), None);
}

#[test]
fn where_the_text_failed_a_call_need_not_wait() {
    let mut flow = Flow::resuming(id(), "+•••••••••23".to_owned(), None);
    let ticket = flow.begin(Task::Resume).unwrap();
    let mut answer = session_response(SessionStatus::Pending);
    answer.channel = Channel::Sms;
    answer.attempts[0].status = AttemptStatus::Undelivered;
    flow.resumed(ticket, &answer, NOW);
    let session = flow.session().unwrap();
    assert_eq!(session.resend_by_in(Channel::Voice, NOW), Some(0));
    assert_eq!(session.resend_by_in(Channel::Sms, NOW), Some(12));
}

#[test]
fn each_time_the_code_was_sent_is_remembered() {
    let mut flow = in_enter_code();
    let ticket = flow.begin(Task::Resend).unwrap();
    let mut again = send_response();
    again.channel = Channel::Voice;
    assert!(flow.sent(ticket, &again, NOW));
    let attempts = &flow.session().unwrap().attempts;
    let channels: Vec<_> = attempts.iter().map(|attempt| attempt.channel).collect();
    assert_eq!(channels, [Channel::Sms, Channel::Voice]);
}
