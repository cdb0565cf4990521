//! Segments of a path.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use futures_util::FutureExt;
use serde::de::DeserializeOwned;

use crate::problem::{FieldError, Problem};

/// The variable segments of a path: one value, a tuple in their order, or a struct by their names.
#[derive(Clone, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Path<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if let Some((name, _)) = request.match_info().iter().find(|(_, value)| has_nul(value)) {
            return ready(Err(refused(name, "it holds the NUL character")));
        }
        let outcome = web::Path::<T>::from_request(request, payload)
            .now_or_never()
            .expect("a path is in the request's head, so nothing is waited for");
        ready(match outcome {
            Ok(path) => Ok(Self(path.into_inner())),
            Err(error) => {
                let names: Vec<&str> = request.match_info().iter().map(|(name, _)| name).collect();
                Err(refused(&names.join(", "), &error.to_string()))
            }
        })
    }
}

/// actix leaves some bytes of a segment encoded.
fn has_nul(value: &str) -> bool {
    value.contains('\0') || value.contains("%00")
}

fn refused(field: &str, detail: &str) -> Problem {
    Problem::bad_request("invalid_path", format!("`{field}` in the path: {detail}"))
        .with_error(FieldError::new(field, detail))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use uuid::Uuid;

    use super::*;

    async fn check(id: &'static str, expected: Result<&str, &str>) {
        let request = TestRequest::default().param("id", id).to_http_request();
        let outcome = Path::<Uuid>::from_request(&request, &mut Payload::None).await;
        let outcome = outcome
            .map(|path| path.0.to_string())
            .map_err(|problem| problem.body().errors[0].clone());
        match (outcome, expected) {
            (Ok(id), Ok(expected)) => assert_eq!(id, expected),
            (Err(error), Err(detail)) => {
                assert_eq!(error.field, "id");
                assert!(error.detail.contains(detail), "{error:?}");
            }
            (outcome, expected) => panic!("{outcome:?} is not {expected:?}"),
        }
    }

    #[actix_web::test]
    async fn a_segment_that_is_not_of_its_type_is_refused_by_name() {
        check("01890a5d-ac96-774b-bcce-b302099a8057", Ok("01890a5d-ac96-774b-bcce-b302099a8057"))
            .await;
        check("seven", Err("UUID")).await;
        check("a%00b", Err("NUL")).await;
    }
}
