//! A launch as the arguments of RunTask. The same launch gives the same arguments, to the letter: its id is the call's token.

use crate::Settings;
use crate::overrides::Overrides;
use crate::tags::{role, tags};
use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::run_task::builders::RunTaskFluentBuilder;
use aws_sdk_ecs::types;
use faregate_core::model::{ClusterName, Launch, TaskRole};

/// The first platform version with environment files and more than 20 GiB of storage (Amazon ECS developer guide, "Fargate
/// platform versions").
const PLATFORM: &str = "1.4.0";

/// The most tasks of a call (Amazon ECS API reference, RunTask, `count`).
const MOST_TASKS: u32 = 10;

/// The subnet of a launch: all tasks of a cluster are in one, chosen by its name, until it moves on to the next.
pub(crate) fn subnet<'a>(settings: &'a Settings, launch: &Launch) -> Option<&'a str> {
    let places = settings.subnets.len() as u64;
    let place = own_place(&launch.cluster).wrapping_add(launch.spec.fargate.place.into()).checked_rem(places)?;
    settings.subnets.get(place as usize).map(String::as_str)
}

/// Where a cluster begins: its name ends in nine random digits.
fn own_place(cluster: &ClusterName) -> u64 {
    u64::from_str_radix(&cluster.as_str()[23..], 16).unwrap_or_default()
}

/// The call, or why it can never be made. A family's name is the same before and after someone else registers it too, which its
/// newest revision is not.
pub(crate) fn run_task(
    ecs: &Client,
    settings: &Settings,
    launch: &Launch,
    family: &str,
) -> Result<RunTaskFluentBuilder, String> {
    let spec = &launch.spec;
    let subnet = subnet(settings, launch).ok_or("no subnet is configured")?;
    let capacity = if spec.fargate.spot { "FARGATE_SPOT" } else { "FARGATE" };
    let groups = match spec.role {
        TaskRole::Scheduler => &settings.scheduler_security_groups,
        TaskRole::Worker => &settings.worker_security_groups,
    };
    let public =
        if settings.assign_public_ip { types::AssignPublicIp::Enabled } else { types::AssignPublicIp::Disabled };
    let network = types::AwsVpcConfiguration::builder()
        .subnets(subnet)
        .set_security_groups(Some(groups.clone()))
        .assign_public_ip(public)
        .build()
        .map_err(|error| error.to_string())?;
    let strategy = types::CapacityProviderStrategyItem::builder().capacity_provider(capacity).weight(1).build();
    let tag = |(key, value): (&str, String)| types::Tag::builder().key(key).value(value).build();
    Ok(ecs
        .run_task()
        .cluster(&settings.cluster)
        .task_definition(family)
        .count(spec.count as i32)
        .client_token(&launch.id.0)
        .started_by(&launch.id.0)
        .group(format!("{}:{}", role(spec.role), launch.cluster))
        .platform_version(PLATFORM)
        .capacity_provider_strategy(strategy.map_err(|error| error.to_string())?)
        .network_configuration(types::NetworkConfiguration::builder().awsvpc_configuration(network).build())
        .set_tags(Some(tags(settings, launch).into_iter().map(tag).collect()))
        .overrides(Overrides::of(settings, launch)?.to_sdk().map_err(|error| error.to_string())?))
}

/// What no call needs to be made for.
pub(crate) fn check(launch: &Launch) -> Result<(), String> {
    match launch.spec.count {
        1..=MOST_TASKS => Ok(()),
        count => Err(format!("a launch has 1 to {MOST_TASKS} tasks, not {count}")),
    }
}

/// A launch of `n` workers.
#[cfg(test)]
pub(crate) fn example(n: u32) -> Launch {
    use faregate_core::model::{Counts, LaunchId, LaunchSpec, LaunchState};
    let cluster: ClusterName = format!("{:032x}", 0xabc).parse().unwrap();
    let spec = LaunchSpec {
        role: TaskRole::Worker,
        count: n,
        cores: 2.0,
        memory_bytes: 4 << 30,
        command: vec!["dask".into(), "worker".into(), "--name".into(), "{worker_name}".into()],
        environment: vec![("DASK_GATEWAY_API_URL".into(), "http://gateway/api".into())],
        user: "alice".into(),
        groups: vec!["data science".into(), "all".into()],
        image: None,
        fargate: Default::default(),
    };
    Launch {
        id: LaunchId::new(&cluster, n),
        cluster,
        spec,
        unit: Counts::default(),
        state: LaunchState::Pending,
        created_at: 0,
        not_after: 300_000,
        calls: 1,
        throttled: 0,
        next_try: 0,
        outcome: None,
        expires_at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::config::BehaviorVersion;

    fn client() -> Client {
        Client::from_conf(aws_sdk_ecs::Config::builder().behavior_version(BehaviorVersion::latest()).build())
    }

    #[test]
    fn a_cluster_stays_in_its_subnet_and_moves_through_all_of_them() {
        let settings = Settings::example();
        let mut launch = example(1);
        let mut places = Vec::new();
        for place in 0..4 {
            launch.spec.fargate.place = place;
            places.push(subnet(&settings, &launch).unwrap());
        }
        assert_eq!(places, ["subnet-a", "subnet-b", "subnet-c", "subnet-a"], "0xabc is a multiple of three");
        let nowhere = Settings { subnets: Vec::new(), ..settings };
        assert_eq!(subnet(&nowhere, &launch), None);
        assert!(run_task(&client(), &nowhere, &launch, "family").is_err());
    }

    #[test]
    fn one_kind_of_capacity_one_subnet_and_the_groups_of_the_role() {
        let settings = Settings::example();
        let mut launch = example(3);
        let call = |launch: &Launch| run_task(&client(), &settings, launch, "family").unwrap().as_input().clone();
        let input = call(&launch);
        assert_eq!(*input.get_count(), Some(3));
        assert_eq!(input.get_client_token(), input.get_started_by());
        assert_eq!(input.get_group().as_deref(), Some(&*format!("worker:{}", launch.cluster)));
        assert_eq!(input.get_launch_type(), &None);
        let capacity = |input: &aws_sdk_ecs::operation::run_task::builders::RunTaskInputBuilder| -> Vec<String> {
            let items = input.get_capacity_provider_strategy().clone().unwrap();
            items.iter().map(|item| item.capacity_provider().to_owned()).collect()
        };
        assert_eq!(capacity(&input), ["FARGATE"]);
        let network = input.get_network_configuration().clone().unwrap().awsvpc_configuration.unwrap();
        assert_eq!((network.subnets().len(), network.security_groups()), (1, &settings.worker_security_groups[..]));
        launch.spec.fargate.spot = true;
        assert_eq!(capacity(&call(&launch)), ["FARGATE_SPOT"]);
        launch.spec.role = TaskRole::Scheduler;
        let network = call(&launch).get_network_configuration().clone().unwrap().awsvpc_configuration.unwrap();
        assert_eq!(network.security_groups(), settings.scheduler_security_groups);
        let tags = input.get_tags().clone().unwrap();
        let tags: Vec<_> = tags.iter().map(|tag| (tag.key().unwrap(), tag.value().unwrap())).collect();
        assert!(tags.contains(&("faregate:groups", "data=20science all")), "{tags:?}");
    }

    #[test]
    fn one_to_ten_tasks_are_a_launch() {
        let allowed: Vec<u32> = (0..20).filter(|count| check(&example(*count)).is_ok()).collect();
        assert_eq!(allowed, (1..=10).collect::<Vec<_>>());
    }
}
