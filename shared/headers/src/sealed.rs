//! What keeps the API's answers from pages: they share an origin with dashboards, whose pages are made by clusters' owners.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// Shown by a browser, an answer is a document without scripts, forms or an origin, in nobody's frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
);

/// The one page of ours that has a form, which is sent to us alone; it is in nobody's frame either.
pub const FORM_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");

/// Says so of an answer, in place of what it says itself.
///
/// Without it a dashboard's page could frame an answer (an error is as good as any), and act in that frame as whoever looks at it:
/// the frame has their cookies, and none of the bounds of the page itself.
pub fn seal(headers: &mut HeaderMap) {
    let has_form = headers.get(header::CONTENT_SECURITY_POLICY) == Some(&FORM_POLICY);
    // a form of a page without referrers comes from the origin `null`
    let (policy, referrer) = if has_form { (FORM_POLICY, "same-origin") } else { (POLICY, "no-referrer") };
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static(referrer));
    let resource_policy = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(resource_policy, HeaderValue::from_static("same-origin"));
}
