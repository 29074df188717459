//! Presigned links of S3 (Signature Version 4 in the query): a request, its time and its end, signed with a secret that
//! never leaves the server.

use std::fmt;

use jiff::Timestamp;

use super::super::endpoint::{Endpoint, query};
use super::super::mac::{hash, hex, hmac};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Of the body nothing is signed: there is none.
const BODY: &str = "UNSIGNED-PAYLOAD";

/// Who asks: the key's id, its secret and the region.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The region that the store calls itself.
    pub region: String,
    /// The key's id, which stands in every link.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, {}, …)", self.access_key_id, self.region)
    }
}

/// A request to be signed.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path, ready for a request.
    pub path: &'a str,
    /// Its parameters.
    pub parameters: &'a [(&'a str, &'a str)],
    /// When it is signed.
    pub now: Timestamp,
    /// How many seconds it is good for, a week at most.
    pub seconds: u32,
}

impl Credentials {
    /// The address of this request, signed.
    pub fn presign(&self, endpoint: &Endpoint, asked: &Asked<'_>) -> String {
        let time = asked.now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let day = asked.now.strftime("%Y%m%d").to_string();
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let credential = format!("{}/{scope}", self.access_key_id);
        let seconds = asked.seconds.to_string();
        let mut pairs = vec![
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &time),
            ("X-Amz-Expires", &seconds),
            ("X-Amz-SignedHeaders", "host"),
        ];
        pairs.extend(asked.parameters);
        // They are signed sorted; none of their names needs to be encoded.
        pairs.sort_unstable();
        let parameters = query(pairs);
        let request = format!(
            "{}\n{}\n{parameters}\nhost:{}\n\nhost\n{BODY}",
            asked.method,
            asked.path,
            endpoint.authority()
        );
        let text = format!("{ALGORITHM}\n{time}\n{scope}\n{}", hash(&request));
        let signature = hex(&hmac(&self.key(&day), &text));
        endpoint.url(asked.path, &format!("{parameters}&X-Amz-Signature={signature}"))
    }

    /// The key of one day, region and service.
    fn key(&self, day: &str) -> [u8; 32] {
        let first = hmac(format!("AWS4{}", self.secret_access_key).as_bytes(), day);
        [self.region.as_str(), "s3", "aws4_request"]
            .iter()
            .fold(first, |key, part| hmac(&key, part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the vendor's documentation ("Authenticating Requests: Using Query Parameters").
    #[test]
    fn the_documented_example() {
        let credentials = Credentials {
            region: "us-east-1".to_owned(),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        };
        let endpoint = Endpoint::parse("https://examplebucket.s3.amazonaws.com").unwrap();
        let link = credentials.presign(
            &endpoint,
            &Asked {
                method: "GET",
                path: "/test.txt",
                parameters: &[],
                now: "2013-05-24T00:00:00Z".parse().unwrap(),
                seconds: 86400,
            },
        );
        assert_eq!(
            link,
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
        assert!(!format!("{credentials:?}").contains("wJalr"));
    }
}
