//! Clusters and services. Services are stored and run nothing.

use crate::clock;
use crate::settings::Settings;
use crate::wire::{Answer, ApiError, list, short_name, text, texts};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Clusters by name, services by cluster and name.
#[derive(Debug, Default)]
pub struct Clusters {
    clusters: BTreeMap<String, Value>,
    services: BTreeMap<(String, String), Value>,
}

impl Clusters {
    /// The short name of a cluster that exists; none given is `default`.
    pub fn find(&self, body: &Value) -> Result<String, ApiError> {
        let name = short_name(text(body, "cluster").unwrap_or("default"));
        if self.clusters.contains_key(name) { Ok(name.to_owned()) } else { Err(ApiError::no_cluster()) }
    }

    /// CreateCluster. One that exists is answered as it is.
    pub fn create(&mut self, settings: &Settings, body: &Value) -> Answer {
        let name = text(body, "clusterName").unwrap_or("default").to_owned();
        let cluster = self.clusters.entry(name.clone()).or_insert_with(|| {
            json!({
                "clusterArn": settings.arn(&format!("cluster/{name}")),
                "clusterName": name,
                "status": "ACTIVE",
                "capacityProviders": texts(body, "capacityProviders"),
                "defaultCapacityProviderStrategy": list(body, "defaultCapacityProviderStrategy"),
                "settings": list(body, "settings"),
                "tags": list(body, "tags"),
            })
        });
        Ok(json!({"cluster": cluster}))
    }

    /// DescribeClusters.
    pub fn describe(&self, body: &Value) -> Answer {
        let mut names = texts(body, "clusters");
        if names.is_empty() {
            names.push("default".into());
        }
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for name in names {
            match self.clusters.get(short_name(&name)) {
                Some(cluster) => found.push(cluster),
                None => failures.push(json!({"arn": name, "reason": "MISSING"})),
            }
        }
        Ok(json!({"clusters": found, "failures": failures}))
    }

    /// ListClusters.
    pub fn list(&self) -> Answer {
        let arns: Vec<_> = self.clusters.values().map(|cluster| &cluster["clusterArn"]).collect();
        Ok(json!({"clusterArns": arns}))
    }

    /// DeleteCluster, which must be empty of services; of tasks the caller knows.
    pub fn delete(&mut self, body: &Value, has_tasks: impl Fn(&str) -> bool) -> Answer {
        let name = self.find(body)?;
        if has_tasks(&name) {
            return Err(ApiError::new(
                "ClusterContainsTasksException",
                "The Cluster cannot be deleted while Tasks are active.",
            ));
        }
        if self.services.iter().any(|((cluster, _), service)| *cluster == name && service["status"] == "ACTIVE") {
            let message = "The Cluster cannot be deleted while Services are active.";
            return Err(ApiError::new("ClusterContainsServicesException", message));
        }
        let mut cluster = self.clusters.remove(&name).unwrap_or_default();
        cluster["status"] = json!("INACTIVE");
        Ok(json!({"cluster": cluster}))
    }

    /// CreateService.
    pub fn create_service(&mut self, settings: &Settings, body: &Value) -> Answer {
        let cluster = self.find(body)?;
        let name = text(body, "serviceName").ok_or_else(|| ApiError::invalid("Service name can not be empty."))?;
        let key = (cluster.clone(), name.to_owned());
        if self.services.get(&key).is_some_and(|service| service["status"] == "ACTIVE") {
            return Err(ApiError::invalid("Creation of service was not idempotent."));
        }
        let mut service = body.clone();
        let desired = body["desiredCount"].as_u64().unwrap_or(0);
        service["serviceArn"] = json!(settings.arn(&format!("service/{cluster}/{name}")));
        service["clusterArn"] = json!(settings.arn(&format!("cluster/{cluster}")));
        service["status"] = json!("ACTIVE");
        service["createdAt"] = json!(clock::now());
        (service["desiredCount"], service["runningCount"], service["pendingCount"]) =
            (json!(desired), json!(0), json!(0));
        self.services.insert(key, service.clone());
        Ok(json!({"service": service}))
    }

    /// DescribeServices.
    pub fn describe_services(&self, body: &Value) -> Answer {
        let cluster = self.find(body)?;
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for name in texts(body, "services") {
            match self.services.get(&(cluster.clone(), short_name(&name).to_owned())) {
                Some(service) => found.push(service),
                None => failures.push(json!({"arn": name, "reason": "MISSING"})),
            }
        }
        Ok(json!({"services": found, "failures": failures}))
    }

    /// UpdateService.
    pub fn update_service(&mut self, body: &Value) -> Answer {
        let service = self.active_service(body)?;
        for name in ["desiredCount", "taskDefinition", "networkConfiguration", "deploymentConfiguration"] {
            if !body[name].is_null() {
                service[name] = body[name].clone();
            }
        }
        Ok(json!({"service": service}))
    }

    /// DeleteService: of one that wants no tasks, or by force.
    pub fn delete_service(&mut self, body: &Value) -> Answer {
        let service = self.active_service(body)?;
        if service["desiredCount"] != 0 && body["force"] != true {
            return Err(ApiError::invalid("The service cannot be stopped while it is scaled above 0."));
        }
        service["status"] = json!("INACTIVE");
        Ok(json!({"service": service}))
    }

    fn active_service(&mut self, body: &Value) -> Result<&mut Value, ApiError> {
        let key = (self.find(body)?, short_name(text(body, "service").unwrap_or_default()).to_owned());
        match self.services.get_mut(&key) {
            None => Err(ApiError::new("ServiceNotFoundException", "Service not found.")),
            Some(service) if service["status"] != "ACTIVE" => {
                Err(ApiError::new("ServiceNotActiveException", "Service was not ACTIVE."))
            }
            Some(service) => Ok(service),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clusters() -> Clusters {
        let mut clusters = Clusters::default();
        clusters.create(&Settings::new(""), &json!({"clusterName": "c"})).unwrap();
        clusters
    }

    #[test]
    fn a_cluster_is_known_by_its_name_and_its_arn() {
        assert_eq!(clusters().find(&json!({"cluster": "arn:aws:ecs:r:a:cluster/c"})), Ok("c".into()));
        assert_eq!(clusters().find(&json!({})), Err(ApiError::no_cluster()));
        let described = clusters().describe(&json!({"clusters": ["c", "d"]})).unwrap();
        assert_eq!(
            (&described["clusters"][0]["status"], &described["failures"][0]["reason"]),
            (&json!("ACTIVE"), &json!("MISSING"))
        );
    }

    #[test]
    fn a_service_is_scaled_and_deleted() {
        let (settings, mut clusters) = (Settings::new(""), clusters());
        let created = json!({"cluster": "c", "serviceName": "proxy", "desiredCount": 1});
        clusters.create_service(&settings, &created).unwrap();
        let named = json!({"cluster": "c", "service": "proxy"});
        assert!(clusters.delete_service(&named).is_err() && clusters.delete(&named, |_| false).is_err());
        clusters.update_service(&json!({"cluster": "c", "service": "proxy", "desiredCount": 0})).unwrap();
        clusters.delete_service(&named).unwrap();
        assert_eq!(clusters.update_service(&named).unwrap_err().kind, "ServiceNotActiveException");
        clusters.delete(&named, |_| false).unwrap();
    }
}
