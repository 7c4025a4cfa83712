//! The casts' part of the descriptions of the HTTP interface.
//!
//! Owns: the table of routes ([`routes`]), what may stand in their queries, paths and headers ([`parameters`]), the shapes
//! of bodies and answers ([`schemas`]) and of what goes over the streams ([`frames`]). Tests hold it against the router
//! and against frames as they are made.

mod frames;
mod parameters;
mod routes;
mod schemas;

use tidings_server::module::Description;

/// What casts add.
pub(super) fn description() -> Description {
    Description {
        routes: routes::ROUTES,
        parameters: parameters::parameters(),
        schemas: schemas::schemas(),
        streams: frames::streams(),
    }
}
