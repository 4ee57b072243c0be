//! The least of HTTP/1.1: one request on a connection of its own, and its answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long either side may keep the other waiting.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A request to `http://<host:port>/<path>`: status and body of its answer.
pub fn request(method: &str, url: &str, authorization: &str, body: &str) -> io::Result<(u16, String)> {
    let (authority, path) =
        url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).ok_or(io::ErrorKind::InvalidInput)?;
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(
        format!(
            "{method} /{path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: {authorization}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    )?;
    let (first, _, body) = read(&stream)?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, body))
}

/// A message: its first line, its `Authorization`, its body.
pub fn read(stream: &TcpStream) -> io::Result<(String, String, String)> {
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        match reader.read_line(&mut line)? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            _ => Ok(line.trim_end().to_owned()),
        }
    };
    let first = line()?;
    let (mut authorization, mut length) = (String::new(), 0);
    loop {
        let line = line()?;
        match line.split_once(": ") {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => value.clone_into(&mut authorization),
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().map_err(|_| io::ErrorKind::InvalidData)?;
            }
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((first, authorization, String::from_utf8_lossy(&body).into_owned()))
}
