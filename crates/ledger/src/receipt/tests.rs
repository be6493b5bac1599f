use super::*;

/// Receipt of a transaction of a CCF node (2.28), as far as the leaf and the path go.
#[test]
fn leaf_and_path_of_a_recorded_receipt() {
    let receipt: Receipt = serde_json::from_str(
        r#"{"cert":"","leaf_components":{
            "claims_digest":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
            "commit_evidence":"ce:2.28:9272de62fe3b33697b0cf7009900b441c5c9d8ce5925f53bb28c3ee232f89c68",
            "write_set_digest":"afba6adf44e28a32c3a3c3d1f35a18b456297d8c1264f9883f816d8a498bbc4b"},
           "node_id":"","proof":[
            {"left":"c5ccc7d022f1bbea500333eefc60f14ce3657f92b4e7763f51b2657224e97702"},
            {"left":"cb5c5f851ff01354b9078cb01e8590670896de84458679b46fb02383ce1b731b"},
            {"left":"0635deb1a4fcd00fdf5af01ce1353c411779c5268820dc51852bd9cf371f82b4"}],"signature":""}"#,
    )
    .unwrap();
    let (leaf, tx_id, _) = receipt.leaf().unwrap();
    assert_eq!(hex::encode(leaf), "1d397f659a3c82ac47b31091300ea0d7533359c8c459bc493af030081b71e0fe");
    assert_eq!(tx_id, Some(TxId::new(2, 28)));
    let root = fold(leaf, &receipt.steps().unwrap());
    assert_eq!(hex::encode(root), "f0a0732c5d82a6472060ecc4b66046a825b6ea269f4e46aff4116eb5e1097541");
}

#[test]
fn evidence_names_the_transaction() {
    assert_eq!(evidence_tx_id("ce:2.28:00").unwrap(), TxId::new(2, 28));
    for bad in ["", "ce:2.28", "2.28:00", "ce:x:00", "ce:0.1:00"] {
        assert!(evidence_tx_id(bad).is_err(), "{bad}");
    }
}
