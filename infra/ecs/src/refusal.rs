//! What it means for a launch that AWS refused it.
//!
//! Capacity, throttling, quotas and addresses are waits: they end without anybody changing the request. What can never work is
//! refused for good.

use crate::Settings;
use crate::calls::Failure;
use crate::request::subnet;
use faregate_core::model::Launch;
use faregate_core::ports::LaunchError;

/// Codes that say "too often" (Amazon ECS API reference, "Common errors"; the last three are EC2's, which ECS passes on).
const TOO_OFTEN: [&str; 6] = [
    "ThrottlingException",
    "Throttling",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
];

/// Codes of requests that no time will make right (Amazon ECS API reference, "RunTask", "RegisterTaskDefinition" and "Common errors").
/// `BlockedException` is none: AWS unblocks accounts.
const FOR_GOOD: [&str; 12] = [
    "ClientException",
    "ClusterNotFoundException",
    "InvalidParameterException",
    "PlatformTaskDefinitionIncompatibilityException",
    "PlatformUnknownException",
    "UnsupportedFeatureException",
    "ValidationException",
    "ValidationError",
    "OptInRequired",
    "UnknownOperationException",
    "MalformedHttpRequestException",
    "RequestEntityTooLargeException",
];

/// Codes and words of permissions that are missing. IAM's changes take a while to arrive, and so does the service-linked role that a first
/// cluster makes ("Changes that I make are not always immediately visible", IAM user guide).
const DENIED: [&str; 5] =
    ["AccessDeniedException", "AccessDenied", "NotAuthorized", "UnauthorizedOperation", "AuthFailure"];
const DENIED_WORDS: [&str; 4] =
    ["unable to assume", "service linked role", "service-linked role", "is not authorized to perform"];

/// How the codes of EC2 begin that say that the request is wrong ("Error codes for the Amazon EC2 API", the client's). Its other codes end
/// by themselves: the server's, such as `InternalError`, what somebody can raise or free (`…LimitExceeded`, `Insufficient…`), an account that
/// is being looked at (`Blocked`, `PendingVerification`), and those of tomorrow.
const EC2_FOR_GOOD: [&str; 8] = [
    "Invalid",
    "MalformedQueryString",
    "MissingParameter",
    "OptInRequired",
    "UnknownParameter",
    "Unsupported",
    "ValidationError",
    "VPCIdNotSpecified",
];

/// Codes that begin like those, and are about the credentials of ECS itself.
const EC2_CREDENTIALS: [&str; 1] = ["InvalidClientTokenId"];

/// The code of EC2 in a message of ECS.
fn of_ec2(message: &str) -> Option<&str> {
    let (_, code) = message.split_once("(ErrorCode: ")?;
    code.split_once(')').map(|(code, _)| code)
}

/// Does this code of EC2 say that the request is wrong?
fn is_wrong_for_ec2(code: &str) -> bool {
    EC2_FOR_GOOD.iter().any(|wrong| code.starts_with(wrong)) && !EC2_CREDENTIALS.contains(&code)
}

/// A call failed that a launch needed.
pub(crate) fn of_call(settings: &Settings, launch: &Launch, failure: &Failure) -> LaunchError {
    let Failure::Refused { code, message } = failure else { return LaunchError::Unknown(failure.to_string()) };
    let (text, ec2) = (message.to_lowercase(), of_ec2(message));
    let is_any = |known: &[&str]| known.contains(&code.as_str()) || ec2.is_some_and(|code| known.contains(&code));
    if is_any(&TOO_OFTEN) {
        return LaunchError::Throttled;
    }
    if let Some(wait) = of_words(settings, launch, message) {
        return wait;
    }
    if is_any(&DENIED) || DENIED_WORDS.iter().any(|words| text.contains(words)) {
        return LaunchError::Denied(failure.to_string());
    }
    if ec2.is_some_and(|code| !is_wrong_for_ec2(code)) {
        return LaunchError::NoCapacity(failure.to_string());
    }
    match code.as_str() {
        "LimitExceededException" | "BlockedException" => LaunchError::NoCapacity(failure.to_string()),
        code if FOR_GOOD.contains(&code) => LaunchError::Rejected(failure.to_string()),
        _ => LaunchError::Unknown(failure.to_string()), // credentials that have expired, a clock that is wrong
    }
}

/// RunTask was answered, and says of a task that it was not started, and why.
pub(crate) fn of_task(settings: &Settings, launch: &Launch, why: &str) -> LaunchError {
    of_words(settings, launch, why).unwrap_or_else(|| LaunchError::NoCapacity(why.to_owned()))
}

/// The waits that have no code of their own, by the words AWS uses.
fn of_words(settings: &Settings, launch: &Launch, message: &str) -> Option<LaunchError> {
    let text = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
    if says(&["you can run concurrently", "configuration is above your limit"]) {
        return Some(LaunchError::NoCapacity(quota(launch.spec.fargate.spot, message)));
    }
    if says(&["free address", "freeaddresses", "free ip address"]) {
        let subnet = subnet(settings, launch).unwrap_or_default();
        return Some(LaunchError::NoCapacity(format!("subnet `{subnet}` has no free address left: {message}")));
    }
    if says(&["rate exceeded", "request limit exceeded", "requestlimitexceeded", "throttl", "too many concurrent"]) {
        return Some(LaunchError::Throttled);
    }
    says(&["capacity is unavailable", "resource:", "tasks in provisioning"])
        .then(|| LaunchError::NoCapacity(message.to_owned()))
}

/// Names and codes of the quotas: Service Quotas console, AWS Fargate.
fn quota(spot: bool, message: &str) -> String {
    let (name, code) = match spot {
        true => ("Fargate Spot vCPU resource count", "L-36FBB829"),
        false => ("Fargate On-Demand vCPU resource count", "L-3032A538"),
    };
    format!(
        "the AWS account has used up its quota `{name}` (a new account has 6 vCPUs); an administrator can have it raised: \
         Service Quotas, AWS Fargate, {code} ({message})"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::example;

    fn refused(code: &str, message: &str) -> LaunchError {
        let failure = Failure::Refused { code: code.into(), message: message.into() };
        of_call(&Settings::example(), &example(1), &failure)
    }

    #[test]
    fn a_missing_quota_is_a_wait_that_names_it() {
        let message = "You’ve reached the limit on the number of vCPUs you can run concurrently";
        for error in [
            refused("ClientException", message),
            refused("LimitExceededException", message),
            refused("ClientException", "The requested CPU configuration is above your limit"),
            of_task(&Settings::example(), &example(1), message),
        ] {
            let LaunchError::NoCapacity(why) = &error else { panic!("{error:?}") };
            assert!(why.contains("`Fargate On-Demand vCPU resource count`") && why.contains("Service Quotas"), "{why}");
        }
        let mut on_spot = example(1);
        on_spot.spec.fargate.spot = true;
        let error = of_task(&Settings::example(), &on_spot, message);
        assert!(error.to_string().contains("`Fargate Spot vCPU resource count`"), "{error}");
    }

    #[test]
    fn a_subnet_without_addresses_is_a_wait_that_names_it() {
        let message = "InsufficientFreeAddressesInSubnet: The specified subnet does not have enough free addresses";
        for error in
            [refused("InvalidParameterException", message), of_task(&Settings::example(), &example(1), message)]
        {
            assert!(matches!(&error, LaunchError::NoCapacity(why) if why.contains("`subnet-a`")), "{error:?}");
        }
    }

    #[test]
    fn too_often_is_throttled_also_when_it_was_another_service_that_said_so() {
        assert_eq!(refused("ThrottlingException", "Rate exceeded"), LaunchError::Throttled);
        let of_ec2 = "Error retrieving security group information for [sg-1]: Request limit exceeded. (ErrorCode: RequestLimitExceeded)";
        assert_eq!(refused("InvalidParameterException", of_ec2), LaunchError::Throttled);
        let registering = "Too many concurrent attempts to create a new revision of the specified family";
        assert_eq!(refused("ClientException", registering), LaunchError::Throttled);
    }

    #[test]
    fn missing_permissions_are_told_apart_as_they_may_be_on_their_way() {
        for (code, message) in [
            ("AccessDeniedException", "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: ecs:RunTask"),
            (
                "ClientException",
                "ECS was unable to assume the role 'arn:aws:iam::1:role/x' that was provided for this task.",
            ),
            ("InvalidParameterException", "Unable to assume the service linked role. Please verify that it exists."),
        ] {
            let error = refused(code, message);
            assert!(matches!(&error, LaunchError::Denied(why) if why.contains(message)), "{error:?}");
        }
    }

    #[test]
    fn codes_of_ec2_that_ecs_passes_on_are_sorted() {
        let passed_on = |code: &str| {
            let message =
                format!("Error retrieving security group information for [sg-1]: it says so (ErrorCode: {code})");
            refused("InvalidParameterException", &message)
        };
        for transient in [
            // the server's
            "InsufficientAddressCapacity",
            "InsufficientCapacity",
            "InternalError",
            "InternalFailure",
            "ServiceUnavailable",
            "Unavailable",
            // the client's that others can raise, free or decide
            "AttachmentLimitExceeded",
            "NetworkInterfaceLimitExceeded",
            "PrivateIpAddressLimitExceeded",
            "ResourceLimitExceeded",
            "SecurityGroupsPerInterfaceLimitExceeded",
            "TagPolicyViolation",
            "IncorrectState",
            "Blocked",
            "PendingVerification",
            // of the credentials of ECS, or of its clock
            "IncompleteSignature",
            "InvalidClientTokenId",
            "MissingAuthenticationToken",
            "RequestExpired",
            "SignatureDoesNotMatch",
            "of tomorrow",
        ] {
            assert!(matches!(passed_on(transient), LaunchError::NoCapacity(_)), "{transient}");
        }
        for wrong in [
            "InvalidGroup.NotFound",
            "InvalidGroupId.Malformed",
            "InvalidParameter",
            "InvalidParameterValue",
            "InvalidSecurityGroupID.NotFound",
            "InvalidSubnetID.NotFound",
            "InvalidVpcID.NotFound",
            "MalformedQueryString",
            "MissingParameter",
            "OptInRequired",
            "UnknownParameter",
            "UnsupportedOperation",
            "ValidationError",
            "VPCIdNotSpecified",
        ] {
            assert!(matches!(passed_on(wrong), LaunchError::Rejected(_)), "{wrong}");
        }
        for denied in ["UnauthorizedOperation", "AuthFailure"] {
            assert!(matches!(passed_on(denied), LaunchError::Denied(_)), "{denied}");
        }
        for too_often in ["RequestLimitExceeded", "Throttling", "BandwidthLimitExceeded", "EC2ThrottledException"] {
            assert_eq!(passed_on(too_often), LaunchError::Throttled, "{too_often}");
        }
    }

    #[test]
    fn codes_of_ecs_itself_are_sorted() {
        let sorted = |code: &str| refused(code, "it says so");
        for wrong in FOR_GOOD {
            assert!(matches!(sorted(wrong), LaunchError::Rejected(_)), "{wrong}");
        }
        for wait in ["BlockedException", "LimitExceededException"] {
            assert!(matches!(sorted(wait), LaunchError::NoCapacity(_)), "{wait}");
        }
        for denied in ["AccessDeniedException", "NotAuthorized"] {
            assert!(matches!(sorted(denied), LaunchError::Denied(_)), "{denied}");
        }
        // of credentials and clocks, of connections, and of the service
        for unknown in [
            "ExpiredTokenException",
            "IncompleteSignature",
            "InternalFailure",
            "RequestAbortedException",
            "RequestExpired",
            "RequestTimeoutException",
            "ServiceUnavailable",
            "ServerException",
            "UnrecognizedClientException",
            "of tomorrow",
        ] {
            assert!(matches!(sorted(unknown), LaunchError::Unknown(_)), "{unknown}");
        }
    }

    #[test]
    fn what_can_never_work_is_refused_and_what_is_not_understood_is_unknown() {
        let invalid = refused("InvalidParameterException", "The subnet ID 'subnet-a' does not exist");
        assert!(matches!(&invalid, LaunchError::Rejected(why) if why.contains("subnet-a")), "{invalid:?}");
        assert!(matches!(refused("BlockedException", "blocked"), LaunchError::NoCapacity(_)));
        assert!(matches!(refused("ExpiredTokenException", "expired"), LaunchError::Unknown(_)));
        let lost = Failure::Unknown("timed out".into());
        assert_eq!(of_call(&Settings::example(), &example(1), &lost), LaunchError::Unknown("timed out".into()));
        for reason in ["RESOURCE:MEMORY", "Capacity is unavailable at this time", "something new"] {
            let error = of_task(&Settings::example(), &example(1), reason);
            assert_eq!(error, LaunchError::NoCapacity(reason.into()));
        }
    }
}
