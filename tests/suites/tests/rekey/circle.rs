//! A consortium whose members hold recovery shares.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::{Value, json};
use suites::chunks::{self, Entry};
use suites::secrets::{Issued, Secrets, Share};
use suites::{Api, Consortium, Member, Node, Result, Settings, action, python, repository, run, scratch};

/// The number of the one who owns the whole secret.
pub(crate) const OWNER: usize = 3;

/// Three members who hold a share each and one who owns the whole secret, and their service.
pub(crate) struct Circle {
    pub(crate) consortium: Consortium,
    /// The keys that shares are encrypted to, by member.
    pub(crate) keys: BTreeMap<String, String>,
    pub(crate) node: Node,
}

impl Circle {
    /// A fresh service that is not open yet. Two shares give the secret.
    pub(crate) async fn found(name: &str) -> Result<Self> {
        let directory = scratch(name)?;
        let (mut members, mut keys, mut given) = (Vec::new(), BTreeMap::new(), Vec::new());
        for number in 0..=OWNER {
            let name = format!("member{number}");
            let member = Member::create(&directory, &name)?;
            let (public, private) = crypto::wrap::generate_rsa_pair()?;
            let file = directory.join(format!("{name}_enc_pubk.pem"));
            std::fs::write(&file, public)?;
            let role = if number == OWNER { "Owner" } else { "Participant" };
            given.push(json!({
                "certificate_file": member.certificate_file,
                "encryption_public_key_file": file,
                "recovery_role": role,
            }));
            keys.insert(member.id.clone(), private.to_string());
            members.push(member);
        }
        let mut node = Node::prepare(&directory.join("node"), &directory, Settings::on_free_port()?)?;
        let file = node.directory().join("node.json");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        config["command"]["start"]["members"] = given.into();
        config["command"]["start"]["service_configuration"]["recovery_threshold"] = 2.into();
        std::fs::write(&file, config.to_string())?;
        node.start().await?;
        Ok(Self { consortium: Consortium { members }, keys, node })
    }

    /// As [`Self::found`], open.
    pub(crate) async fn open(name: &str) -> Result<Self> {
        let circle = Self::found(name).await?;
        circle.consortium.bring_to_life(&circle.node).await?;
        Ok(circle)
    }

    pub(crate) fn id(&self, number: usize) -> &str {
        &self.consortium.members[number].id
    }

    pub(crate) fn api(&self) -> Result<Api> {
        self.node.api(None)
    }

    /// Votes for a proposal until it is accepted.
    pub(crate) async fn pass(&self, name: &str, arguments: Value) -> Result<()> {
        self.consortium.pass(&self.api()?, &[action(name, &arguments)]).await.map(|_| ())
    }

    pub(crate) async fn write(&self, id: &str) -> Result<String> {
        let api = self.node.api(Some(self.consortium.first()))?;
        let answer = api.put(&format!("/app/contracts/{id}"), &json!({"data": {"id": id}})).await?;
        Ok(answer.expect_status(200)?.transaction.ok_or("an answer without its transaction id")?)
    }

    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.node.kill()?;
        self.node.start().await
    }

    pub(crate) fn entries(&self) -> Result<Vec<Entry>> {
        chunks::read(&self.node.ledger())
    }

    pub(crate) fn share(&self, issued: &Issued, number: usize) -> Result<Share> {
        issued.share(self.id(number), &self.keys[self.id(number)])
    }

    /// The latest secret, as the owner gets at it.
    pub(crate) fn owned(&self, issued: &Issued) -> Result<[u8; 32]> {
        issued.unwrap(&[self.share(issued, OWNER)?])
    }

    /// Everything that the owner can read; all of the ledger, with each key and initialisation vector used once.
    pub(crate) fn read_all(&self) -> Result<(Vec<Entry>, Secrets)> {
        let entries = self.entries()?;
        let secrets = Secrets::walk(&entries, self.owned(&Issued::last(&entries)?)?)?;
        let mut used = BTreeSet::new();
        for entry in &entries {
            secrets.open(entry)?;
            assert!(used.insert((secrets.of(entry.seqno)?, entry.iv)), "{} repeats an IV", entry.id());
            let evidence = crypto::sha256(secrets.commit_evidence(entry)?.as_bytes());
            assert_eq!(entry.commit_evidence_digest(), Some(evidence), "{}", entry.id());
        }
        let distinct: BTreeSet<_> = secrets.all().collect();
        assert_eq!(distinct.len(), secrets.count(), "a secret came back");
        Ok((entries, secrets))
    }

    /// CCF's own tools agree.
    pub(crate) fn check_with_python(&self) -> Result<()> {
        let script = repository().join("tests/interop/ledger.py");
        let mut command = Command::new(python());
        run(command.arg(script).arg(self.node.ledger()).arg("--secret-chain"))?.succeeded("ledger.py")?;
        let read =
            run(Command::new(python()).args(["-m", "ccf.read_ledger", "--uncommitted"]).arg(self.node.ledger()))?;
        let said = format!("{}{}", read.stdout, read.stderr);
        assert!(read.code == 0 && said.contains("Ledger verification complete"), "read_ledger: {said}");
        self.node.verify_ledger()?.succeeded("cgs ledger verify")?;
        Ok(())
    }
}
