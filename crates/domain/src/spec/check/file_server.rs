//! Rules of a file server.

use crate::invalid::Invalid;
use crate::limits;
use crate::name::excerpt;
use crate::spec::{CachingType, FileServerSpec};

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

    /// Host caching is for VM sizes with premium storage (specification, DataDisks). `premium_storage` is
    /// whether its VM size has it.
    pub fn check_caching(&self, premium_storage: bool) -> Checked {
        if premium_storage || self.data_disks.caching_type == CachingType::None {
            return Ok(());
        }
        let message = format!(
            "The VM size {} has no premium storage, which caching needs. Use none, or a size such as \
             STANDARD_NC6S_V2.",
            excerpt(&self.vm_size)
        );
        Err(Invalid::new("dataDisks.cachingType", message))
    }

    /// Whether its disks can be had: premium ones need a VM size with premium storage. Others are not
    /// refused, they fail (behaviour.md section 3).
    pub fn has_possible_disks(&self, premium_storage: bool) -> bool {
        premium_storage
            || !self
                .data_disks
                .storage_account_type
                .eq_ignore_ascii_case("Premium_LRS")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{DataDisks, FlatFileServer, SshConfiguration, UserAccountSettings};

    #[test]
    fn caching_and_premium_disks_need_premium_storage() {
        let spec = |caching_type, storage: &str| FileServerSpec {
            vm_size: "STANDARD_D1".to_owned(),
            ssh_configuration: SshConfiguration {
                public_ips_to_allow: None,
                user_account_settings: UserAccountSettings {
                    admin_user_name: "u".to_owned(),
                    admin_user_ssh_public_key: Some("k".to_owned()),
                    admin_user_password: None,
                },
            },
            data_disks: DataDisks {
                disk_size_in_gb: 1,
                caching_type,
                disk_count: 1,
                storage_account_type: storage.to_owned(),
            },
            subnet: None,
            flat: FlatFileServer::default(),
        };
        let plain = spec(CachingType::None, "Standard_LRS");
        assert_eq!(plain.check_caching(false), Ok(()));
        assert!(plain.has_possible_disks(false));
        for caching in [CachingType::ReadOnly, CachingType::ReadWrite] {
            let cached = spec(caching, "Standard_LRS");
            assert_eq!(cached.check_caching(true), Ok(()));
            assert_eq!(
                cached.check_caching(false).unwrap_err().target,
                "dataDisks.cachingType"
            );
        }
        let premium = spec(CachingType::None, "premium_lrs");
        assert!(premium.has_possible_disks(true) && !premium.has_possible_disks(false));
    }
}
