//! Where clusters are, as the proxy asks: read from their own records, and nothing else of these.

use crate::errors::failed;
use crate::items::{Item, key, malformed};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use faregate_core::model::{Addresses, ClusterName, Key, Status};
use faregate_core::ports::{Route, StoreError};
use serde::Deserialize;

/// Routes out of the table.
pub struct TableRoutes {
    client: Client,
    table: String,
}

/// Of a cluster's record, what a route is made of.
#[derive(Deserialize)]
struct Routed {
    status: Status,
    addresses: Option<Addresses>,
    #[serde(default)]
    closed: bool,
}

impl TableRoutes {
    /// The routes of the clusters in this table.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        TableRoutes { client, table: table.into() }
    }

    /// Where a cluster is now: one consistent read of its item. None before its scheduler is known to listen there, and once it is
    /// at rest; while it is being stopped its scheduler may still have something to say.
    pub async fn lookup(&self, name: &ClusterName) -> Result<Option<Route>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key(&Key::cluster(name))))
            .consistent_read(true)
            .projection_expression("#record.#status, #record.#addresses, #record.#closed")
            .expression_attribute_names("#record", "record")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#addresses", "addresses")
            .expression_attribute_names("#closed", "closed")
            .send()
            .await
            .map_err(|e| failed("GetItem", e))?;
        answer.item.map_or(Ok(None), |item| route(name, item))
    }
}

fn route(name: &ClusterName, mut item: Item) -> Result<Option<Route>, StoreError> {
    let Some(AttributeValue::M(record)) = item.remove("record") else {
        return Err(malformed(name, "it has no `record`"));
    };
    let routed: Routed = serde_dynamo::from_item(record).map_err(|e| malformed(name, e))?;
    let is_served = matches!(routed.status, Status::Running | Status::Stopping);
    Ok(routed.addresses.filter(|_| is_served).map(|at| Route {
        scheduler: at.scheduler,
        dashboard: at.dashboard,
        closed: routed.closed,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::encode;
    use faregate_core::model::{Cluster, Record};
    use faregate_keys::KeyRing;

    fn name() -> ClusterName {
        "0123456789abcdef0123456789abcdef".parse().unwrap()
    }

    /// The item that is stored, cut down to what is asked for.
    fn item(change: impl FnOnce(&mut Cluster)) -> Item {
        let key = KeyRing::from_random(&[1; 64]).seal(b"key", &name(), [2; 12]).unwrap();
        let mut cluster = Cluster::new(name(), "alice", &[], "cert".into(), key, 1_000);
        change(&mut cluster);
        let mut item = encode(&Record::Cluster(Box::new(cluster)), 1).unwrap();
        item.retain(|name, _| name == "record");
        let Some(AttributeValue::M(record)) = item.get_mut("record") else { panic!("a record") };
        record.retain(|name, _| name == "status" || name == "addresses");
        item
    }

    fn addresses(dashboard: Option<u16>) -> Option<Addresses> {
        let at = |port| ([10, 0, 0, 7], port).into();
        Some(Addresses { scheduler: at(8786), dashboard: dashboard.map(at), api: at(8788) })
    }

    #[test]
    fn a_cluster_has_a_route_while_it_has_addresses_until_it_is_at_rest() {
        let served = Route {
            scheduler: ([10, 0, 0, 7], 8786).into(),
            dashboard: Some(([10, 0, 0, 7], 8787).into()),
            closed: false,
        };
        for status in Status::ALL {
            let found = route(&name(), item(|c| (c.status, c.addresses) = (status, addresses(Some(8787))))).unwrap();
            let is_served = matches!(status, Status::Running | Status::Stopping);
            assert_eq!(found, is_served.then(|| served.clone()), "{status:?}");
            assert_eq!(route(&name(), item(|c| (c.status, c.addresses) = (status, None))).unwrap(), None);
        }
        let blind = item(|c| (c.status, c.addresses) = (Status::Running, addresses(None)));
        assert_eq!(route(&name(), blind).unwrap(), Some(Route { dashboard: None, ..served }));
    }

    #[test]
    fn an_item_that_is_no_cluster_is_named() {
        let error = route(&name(), Item::new()).unwrap_err().to_string();
        assert!(error.contains(name().as_str()) && error.contains("`record`"), "{error}");
        let mut odd = item(|_| {});
        odd.insert("record".into(), AttributeValue::M(Item::new()));
        assert!(route(&name(), odd).is_err());
    }
}
