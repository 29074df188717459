//! Rules of a file server.

use crate::invalid::Invalid;
use crate::limits;
use crate::spec::FileServerSpec;

use super::{Checked, cluster, words};

impl FileServerSpec {
    /// Checks the wish of a file server (behaviour.md section 3).
    pub fn check(&self) -> Checked {
        words::required("vmSize", &self.vm_size)?;
        let ssh = &self.ssh_configuration;
        if let Some(addresses) = &ssh.public_ips_to_allow {
            let at = "sshConfiguration.publicIPsToAllow";
            if addresses.len() > limits::PUBLIC_IPS {
                let message = format!(
                    "This list has {} entries. Use at most {}.",
                    addresses.len(),
                    limits::PUBLIC_IPS
                );
                return Err(Invalid::new(at, message));
            }
            words::list(at, addresses, |at, address| words::required(at, address))?;
        }
        cluster::account("sshConfiguration.userAccountSettings", &ssh.user_account_settings)?;
        let disks = &self.data_disks;
        words::range("dataDisks.diskSizeInGB", disks.disk_size_in_gb, 1, i32::MAX)?;
        words::range("dataDisks.diskCount", disks.disk_count, 1, i32::MAX)?;
        words::required("dataDisks.storageAccountType", &disks.storage_account_type)
    }
}
