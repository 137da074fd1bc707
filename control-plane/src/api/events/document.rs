//! The part of the OpenAPI document that is the same below several paths.

use utoipa::{
    OpenApi as _,
    openapi::{
        OpenApi, PathItem, Required,
        path::{Operation, ParameterBuilder, ParameterIn},
        security::SecurityRequirement,
    },
};

use super::{Below, deliveries, endpoints, feed};

#[derive(utoipa::OpenApi)]
#[openapi(paths(
    feed::list_events,
    endpoints::list_webhook_endpoints,
    endpoints::create_webhook_endpoint,
    endpoints::get_webhook_endpoint,
    endpoints::update_webhook_endpoint,
    endpoints::delete_webhook_endpoint,
    endpoints::rotate_webhook_secret,
    endpoints::disable_webhook_endpoint,
    endpoints::enable_webhook_endpoint,
    deliveries::list_webhook_deliveries,
    deliveries::list_webhook_attempts,
    deliveries::redeliver_webhook,
))]
struct Events;

/// Adds the routes below every path they stand below.
pub(in crate::api) fn add(document: &mut OpenApi) {
    for below in [Below::Organization, Below::Partnership, Below::Partner] {
        let mut part = Events::openapi();
        for item in part.paths.paths.values_mut() {
            operations(item).for_each(|operation| place(operation, below));
        }
        let base = below.base();
        let paths = part.paths.paths.into_iter().map(|(path, item)| (format!("{base}{path}"), item));
        document.paths.paths.extend(paths);
        if let (Some(components), Some(more)) = (document.components.as_mut(), part.components) {
            components.schemas.extend(more.schemas);
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().filter_map(Option::as_mut)
}

/// Names an operation after where it stands, and the first part of its path.
fn place(operation: &mut Operation, below: Below) {
    let (suffix, parameter) = match below {
        Below::Organization => ("of_organization", "org"),
        Below::Partnership => ("of_partnership", "partner"),
        Below::Partner => ("of_partner", "id"),
    };
    operation.operation_id = operation.operation_id.take().map(|id| format!("{id}_{suffix}"));
    let parameter = ParameterBuilder::new().name(parameter).parameter_in(ParameterIn::Path).required(Required::True);
    operation.parameters.get_or_insert_default().insert(0, parameter.build());
    if below == Below::Partnership {
        operation.security = Some(vec![SecurityRequirement::new("partner", Vec::<String>::new())]);
    }
}
