//! Commands that the other nodes of an attempt send here.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;

use trainyard_domain::launch::{Process, Remote};
use trainyard_domain::state::BatchAiError;

use crate::attempt::Surroundings;
use crate::container::Contained;
use crate::isolation::Account;
use crate::journal::Journal;
use crate::remote::{Begun, Listener, Request};
use crate::{place, process};

/// Opens the socket by which commands come from the attempt's other nodes.
pub fn open_remote(remote: &Remote, account: Option<&Account>) -> Result<Listener, BatchAiError> {
    let opened = Listener::open(Path::new(&remote.socket), account).and_then(|mut listener| {
        let mut others = remote.other_sockets.iter();
        others.try_for_each(|other| listener.link(Path::new(other)))?;
        Ok(listener)
    });
    opened.map_err(|error| {
        let message = "The socket of the node in the shared job directory cannot be made. Check its volume.";
        let mut failure = BatchAiError::new(place::ENVIRONMENT_FAILED, message);
        failure.details.push(("Info".to_owned(), error.to_string()));
        failure
    })
}

/// Starts a command that another node of the attempt sends.
pub fn start_command(
    request: Request,
    remote: &Remote,
    around: &Surroundings,
    mark: &str,
    journal: &Journal,
    container: Option<&mut Contained>,
) -> Begun {
    let wanted = Process {
        name: "command of another node".to_owned(),
        arguments: ["bash", "-c", &request.text].map(str::to_owned).to_vec(),
        environment: remote.environment.clone(),
        directory: remote.directory.clone(),
        stdout: String::new(),
        stderr: String::new(),
        decides: false,
    };
    let Ok(streams) = <[OwnedFd; 3]>::try_from(request.streams) else {
        return Begun::Refused(process::refused(&wanted, "it has not three streams"));
    };
    let name = wanted.name.clone();
    let streams = streams.map(Stdio::from);
    let started = match container {
        None => around.start_with(wanted, remote.tools.as_deref(), mark, streams),
        Some(container) => container
            .wrap(&wanted, remote.tools.as_deref())
            .and_then(|client| process::start_with(&client, &BTreeMap::new(), mark, streams)),
    };
    match started {
        Ok(pid) => {
            journal.say(format_args!("{name} started, process {}", pid.as_raw_pid()));
            Begun::Runs(pid)
        }
        Err(why) => {
            journal.say(&why.error.message);
            Begun::Refused(why)
        }
    }
}
