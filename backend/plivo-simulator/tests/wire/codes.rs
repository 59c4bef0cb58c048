//! Validations of a code.

use serde_json::json;

use super::{Plivo, to};

#[tokio::test]
async fn a_code_counts_once_and_ten_are_tried_at_most() {
    let plivo = Plivo::start();
    let id = plivo.create(&to("+14155550123")).await;
    let otp = plivo.otp();
    for _ in 0..9 {
        assert_eq!(plivo.validate(&id, "x").await.1["error"], "incorrect otp");
    }
    let (status, answer) = plivo.validate(&id, &otp).await;
    assert_eq!(
        (status, &answer["message"]),
        (200, &json!("session validated successfully."))
    );
    assert_eq!(
        plivo.validate(&id, &otp).await.1["error"],
        "session already verified"
    );

    let other = plivo.create(&to("+14155550124")).await;
    let otp = plivo.otp();
    for _ in 0..10 {
        plivo.validate(&other, "x").await;
    }
    let refused = plivo.validate(&other, &otp).await;
    assert_eq!(refused.1["error"], "maximum validation attempts reached");
    assert_eq!(plivo.session(&other).await["status"], "in-progress");
}
