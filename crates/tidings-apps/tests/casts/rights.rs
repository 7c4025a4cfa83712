//! Who may create and change what, and for which version.

use serde_json::json;
use tidings_apps::author::{Author, Standing};
use tidings_apps::casts::wire::{parse_create, parse_patch};
use tidings_apps::casts::{Cast, Command, Status};
use tidings_protocol::ErrorCode;
use tidings_protocol::problem::Problem;

use crate::kit::{author, cast, decide, id, member, patch, service, types, user};

fn admin() -> Author {
    author(Standing::Admin(user("usr_admin")))
}

fn create(body: &str, author: &Author) -> Result<Cast, Problem> {
    let command = parse_create(body.as_bytes(), author, "random")?;
    decide(None, &command, author).map(|decided| decided.cast)
}

fn code<T: std::fmt::Debug>(outcome: Result<T, Problem>) -> ErrorCode {
    outcome.unwrap_err().code
}

#[test]
fn a_user_creates_for_itself() {
    let made = create("", &member("usr_1")).unwrap();
    assert_eq!((made.id.as_str(), made.user.as_str(), made.version), ("cast_random", "usr_1", 1));
    let body = r#"{"id":"mine","repository":"a/b","workflowRunId":7,"status":"running","progress":5,"x":1}"#;
    let made = create(body, &member("usr_1")).unwrap();
    assert_eq!((made.id.as_str(), made.status, made.progress), ("mine", Status::Queued, None));
    assert!(made.repository.is_some() && made.workflow_run_id.is_some());
    assert_eq!(code(create(r#"{"userId":"usr_2"}"#, &member("usr_1"))), ErrorCode::Forbidden);
    assert_eq!(create(r#"{"userId":"usr_2"}"#, &admin()).unwrap().user, user("usr_2"));
    assert_eq!(create("{}", &admin()).unwrap().user, user("usr_admin"));
}

#[test]
fn a_service_key_names_the_owner() {
    assert_eq!(create("{}", &service()).unwrap_err().at.as_deref(), Some("/userId"));
    assert_eq!(create(r#"{"userId":"usr_2"}"#, &service()).unwrap().user, user("usr_2"));
    for bad in ["events", "a/b", ""] {
        let body = json!({"id": bad, "userId": "u"}).to_string();
        assert_eq!(create(&body, &service()).unwrap_err().at.as_deref(), Some("/id"), "{bad}");
    }
}

#[test]
fn a_creation_is_told_as_queued_and_audited() {
    let command = parse_create(b"{}", &member("usr_1"), "random").unwrap();
    let decided = decide(None, &command, &member("usr_1")).unwrap();
    assert_eq!(types(&decided), ["STATUS_CHANGED"]);
    assert_eq!(decided.changes.events[0].actor.as_deref(), Some("usr_1"));
    let metadata = &decided.changes.audit[0].metadata;
    assert_eq!(metadata, r#"{"by":"member","from":null,"to":"queued","version":1}"#);
    assert_eq!(decided.changes.answer.as_deref(), Some(decided.cast.to_raw().get()));
}

#[test]
fn an_id_is_taken_once_and_what_has_it_is_shown_to_whom_it_concerns() {
    for (author, shown) in
        [(member("usr_1"), true), (member("usr_2"), false), (admin(), true), (service(), true)]
    {
        let command = parse_create(br#"{"id":"cast_1","userId":null}"#, &member("usr_1"), "r");
        let mut command = command.unwrap();
        if let (tidings_apps::casts::command::Act::Create { owner, .. }, Some(user)) =
            (&mut command.act, author.standing.user())
        {
            owner.clone_from(user);
        }
        let problem = decide(Some(&cast(Status::Queued)), &command, &author).unwrap_err();
        assert_eq!((problem.code, problem.current.is_some()), (ErrorCode::AlreadyExists, shown));
    }
}

#[test]
fn owners_cancel_and_nothing_else() {
    let running = cast(Status::Running);
    let cancel = patch(&json!({"status": "cancelled"}));
    let ended = decide(Some(&running), &cancel, &member("usr_1")).unwrap();
    assert_eq!(ended.cast.status, Status::Cancelled);
    assert!(ended.changes.events[0].terminal);
    assert!(decide(Some(&running), &Command::cancel(id()), &member("usr_1")).is_ok());
    assert_eq!(code(decide(Some(&running), &cancel, &member("usr_2"))), ErrorCode::Forbidden);
    let others = [
        json!({"status": "succeeded"}),
        json!({"progress": 5}),
        json!({}),
        json!({"status": "cancelled", "costCents": 0}),
    ];
    for other in others {
        assert_eq!(code(decide(Some(&running), &patch(&other), &member("usr_1"))), ErrorCode::Forbidden);
        for allowed in [service(), admin()] {
            assert!(decide(Some(&running), &patch(&other), &allowed).is_ok(), "{other}");
        }
    }
}

#[test]
fn a_cast_that_there_is_not_cannot_change() {
    assert_eq!(code(decide(None, &Command::cancel(id()), &service())), ErrorCode::NotFound);
}

#[test]
fn stale_versions_are_refused_with_the_record() {
    let running = cast(Status::Running);
    let asked = |if_match: Option<&str>, body: &str| {
        let command = parse_patch(id(), if_match, body.as_bytes()).unwrap();
        decide(Some(&running), &command, &service()).map_err(|problem| {
            assert_eq!(problem.current.unwrap().get(), running.to_raw().get());
            problem.code
        })
    };
    let cancel = r#"{"status":"cancelled"}"#;
    assert!(asked(Some("\"3\""), cancel).is_ok());
    assert!(asked(None, r#"{"status":"cancelled","version":3}"#).is_ok());
    assert_eq!(asked(Some("\"2\""), cancel).unwrap_err(), ErrorCode::PreconditionFailed);
    let stale = r#"{"status":"cancelled","version":2}"#;
    assert_eq!(asked(None, stale).unwrap_err(), ErrorCode::VersionConflict);
    let body = parse_patch(id(), Some("3"), cancel.as_bytes()).unwrap_err();
    assert_eq!((body.code, body.at.as_deref()), (ErrorCode::InvalidParameter, Some("If-Match")));
}
