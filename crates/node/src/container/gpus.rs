//! The node's GPUs in a container.

use std::fs;
use std::path::Path;

use trainyard_domain::ids::GpuId;

/// Where descriptions of devices for containers lie (CDI).
pub const DESCRIPTIONS: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];
/// The kind of device.
const KIND: &str = "nvidia.com/gpu";

/// Arguments of podman: by CDI, which knows the driver's files. `described` is the text of all descriptions.
pub fn podman(gpus: &[GpuId], described: &str) -> Result<Vec<String>, String> {
    let device = |gpu: &GpuId| {
        if described.contains(gpu.0.as_str()) {
            Ok(["--device".to_owned(), format!("{KIND}={}", gpu.0)])
        } else {
            Err(format!(
                "no description of the GPU {} for containers is in {}; make it with: nvidia-ctk cdi generate \
                 --device-name-strategy=uuid --output=/etc/cdi/nvidia.yaml",
                gpu.0,
                DESCRIPTIONS.join(" or ")
            ))
        }
    };
    let devices: Result<Vec<_>, String> = gpus.iter().map(device).collect();
    Ok(devices?.into_iter().flatten().collect())
}

/// Arguments of docker.
pub fn docker(gpus: &[GpuId]) -> Vec<String> {
    if gpus.is_empty() {
        return Vec::new();
    }
    let ids: Vec<&str> = gpus.iter().map(|gpu| gpu.0.as_str()).collect();
    // Quoted for docker's own reading of commas.
    vec!["--gpus".to_owned(), format!("\"device={}\"", ids.join(","))]
}

/// The text of all descriptions.
pub fn described() -> String {
    let files = DESCRIPTIONS
        .iter()
        .filter_map(|folder| fs::read_dir(Path::new(folder)).ok())
        .flatten();
    files
        .flatten()
        .filter_map(|file| fs::read_to_string(file.path()).ok())
        .collect()
}
