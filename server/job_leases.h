// How much of a device's memory the steps of a job lease: an estimate. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "core/sched/lease_table.h"
#include "modelpatch/v1/resources.pb.h"
#include "server/job_graph.h"

namespace modelpatch::server {

// The bytes of the largest device; 0 without one.
int64_t LargestDevice(const std::vector<sched::Device>& devices);

// Fills in the leases of `graph`, whose tasks, blobs and options are there: at most four fifths of the largest device.
void SetLeases(const v1::Model& model, int64_t largest_device_bytes, JobGraphInput& graph);

}  // namespace modelpatch::server
