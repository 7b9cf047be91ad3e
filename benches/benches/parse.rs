//! Criterion's view of the same parsers: changes between two versions, with confidence intervals.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use imscore_benches::{messages::messages, parsers::parsers};

fn parse(criterion: &mut Criterion) {
    for sample in messages() {
        let mut group = criterion.benchmark_group(&sample.name);
        group.throughput(Throughput::Bytes(sample.bytes.len() as u64));
        for parser in parsers() {
            if let Some(input) = (parser.prepare)(&sample.bytes) {
                let id = BenchmarkId::from_parameter(parser.name);
                group.bench_with_input(id, &input, |bencher, input| {
                    bencher.iter(|| (parser.parse)(black_box(input)));
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, parse);
criterion_main!(benches);
