//! A graph under construction: nodes in the order they run, constants by name.

use super::proto::{AttributeProto, FLOAT, GraphProto, INT64, NodeProto, TensorProto};

/// Collects nodes and constants.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) proto: GraphProto,
}

impl Graph {
    /// Adds a node whose one result, and itself, is called `name`.
    pub(super) fn node(
        &mut self,
        op_type: &str,
        input: &[&str],
        name: &str,
        attribute: Vec<AttributeProto>,
    ) -> String {
        self.node_of(op_type, input, name, &[name], attribute);
        name.to_owned()
    }

    /// Adds a node with several results.
    pub(super) fn node_of(
        &mut self,
        op_type: &str,
        input: &[&str],
        name: &str,
        output: &[&str],
        attribute: Vec<AttributeProto>,
    ) {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        self.proto.node.push(NodeProto {
            input: owned(input),
            output: owned(output),
            name: name.into(),
            op_type: op_type.into(),
            attribute,
        });
    }

    /// Adds a constant of f32; no dimensions make it a scalar.
    pub(super) fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> String {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, dims, FLOAT, raw_data)
    }

    /// Adds a constant of i64; no dimensions make it a scalar.
    pub(super) fn ints(&mut self, name: &str, dims: &[usize], values: &[i64]) -> String {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, dims, INT64, raw_data)
    }

    fn constant(
        &mut self,
        name: &str,
        dims: &[usize],
        data_type: i32,
        raw_data: Vec<u8>,
    ) -> String {
        if !self.proto.initializer.iter().any(|known| known.name == name) {
            let dims = dims.iter().map(|&size| size as i64).collect();
            self.proto.initializer.push(TensorProto {
                dims,
                data_type,
                name: name.into(),
                raw_data,
            });
        }
        name.to_owned()
    }
}
