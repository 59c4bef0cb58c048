//! A Redis cluster of three nodes that share the slots.

use std::time::{Duration, Instant};

use crate::RedisServer;

/// The number of hash slots (Redis Cluster specification).
const SLOTS: u16 = 16_384;
/// Timeout for the nodes to find each other, which takes a second or two.
const PATIENCE: Duration = Duration::from_mins(1);

/// A cluster of three primaries.
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts a cluster that serves every slot when this returns.
    pub fn start() -> Self {
        let nodes: Vec<RedisServer> = (0..3).map(|_| node()).collect();
        for (index, node) in (0..).zip(&nodes) {
            let share = SLOTS / 3;
            let first = index * share;
            let last = if index == 2 {
                SLOTS - 1
            } else {
                first + share - 1
            };
            let range = (first.to_string(), last.to_string());
            let () = node.command(&["CLUSTER", "ADDSLOTSRANGE", &range.0, &range.1]);
            // Without preset epochs they would first have to agree on them.
            let epoch = (index + 1).to_string();
            let () = node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]);
        }
        for node in &nodes[1..] {
            let (port, bus) = (node.port.to_string(), bus(node.port).to_string());
            let () = nodes[0].command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        let cluster = Self { nodes };
        cluster.wait();
        cluster
    }

    /// Waits until every node reports that all slots are served.
    fn wait(&self) {
        let started = Instant::now();
        for node in &self.nodes {
            loop {
                let info: String = node.command(&["CLUSTER", "INFO"]);
                if info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3") {
                    break;
                }
                assert!(started.elapsed() < PATIENCE, "no cluster: {info}");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Its address, in the form of `STORE_URL`.
    pub fn url(&self) -> String {
        let nodes: Vec<String> = self.nodes.iter().map(RedisServer::address).collect();
        format!("redis+cluster://{}", nodes.join(","))
    }

    /// Deletes everything.
    pub fn flush(&self) {
        for node in &self.nodes {
            let () = node.command(&["FLUSHALL"]);
        }
    }

    /// All keys of each node.
    pub fn keys(&self) -> Vec<Vec<String>> {
        self.nodes.iter().map(RedisServer::keys).collect()
    }
}

/// The port of the cluster bus.
fn bus(port: u16) -> u16 {
    // Not the usual port + 10,000, which may be out of range.
    if port > 32_768 {
        port - 20_000
    } else {
        port + 20_000
    }
}

fn node() -> RedisServer {
    RedisServer::start_by(|port| {
        let bus = bus(port).to_string();
        ["--cluster-enabled", "yes", "--cluster-port", &bus]
            .map(str::to_owned)
            .to_vec()
    })
}
