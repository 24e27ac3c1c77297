// What the metadata store keeps: one plain struct per resource.
//
// `*_json` and opaque fields are carried as they are given: the store does not look into them. Times are UTC with
// microseconds. Ids are resource ids (base::CheckResourceId). Thread safety: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/store/job_state.h"

namespace modelpatch::store {

struct ModelRecord {
  std::string id;
  std::string digest;        // of the model's content
  std::string details_json;  // what a user sees of it: architecture, sizes, source
  base::WallTime create_time;

  bool operator==(const ModelRecord&) const = default;
};

struct TaskRecord {
  std::string id;
  std::string digest;        // of the task's content
  std::string source_json;   // files or generator: what it takes to open it again
  std::string details_json;  // class names, templates, split sizes
  base::WallTime create_time;

  bool operator==(const TaskRecord&) const = default;
};

struct CheckpointRecord {
  std::string id;
  std::string model_id;
  std::string blob_digest;    // two checkpoints may share a blob
  std::string manifest_json;  // lineage: model, tasks, parents and coefficients, seed, code version, metrics
  std::string job_id;         // the job that made it, or empty; the job may have been deleted since
  base::WallTime create_time;

  bool operator==(const CheckpointRecord&) const = default;
};

enum class ResourceKind { kModel, kTask, kCheckpoint };

// A resource that a job needs: it must exist when the job is created, and cannot be deleted until the job has finished.
struct ResourceUse {
  ResourceKind kind;
  std::string id;

  bool operator==(const ResourceUse&) const = default;
};

struct JobRecord {
  std::string id;
  std::string request_id;      // of the client, or empty; unique otherwise
  std::string request_digest;  // of the request's content: the same request_id with another digest is refused
  std::string spec;            // opaque bytes
  std::vector<ResourceUse> uses;
  JobState state = JobState::kQueued;
  std::string result;  // opaque bytes, once SUCCEEDED
  int error_code = 0;  // absl::StatusCode, once FAILED
  std::string error_reason;
  std::string error_message;
  base::WallTime create_time;
  std::optional<base::WallTime> start_time;
  std::optional<base::WallTime> end_time;
  bool cancel_requested = false;
  int64_t revision = 0;  // counts commits; a commit of an older revision is refused

  bool operator==(const JobRecord&) const = default;
};

struct StepRecord {
  std::string job_id;
  int index = 0;  // 0, 1, … within the job
  std::string name;
  std::string spec;             // opaque bytes
  std::vector<int> depends_on;  // indices, each lower than `index`
  StepState state = StepState::kWaiting;
  int attempt = 0;  // how often it was started
  int maximum_attempts = 1;
  std::string requested_device;  // "cpu", "cuda" (any CUDA device), "cuda:1"; empty: any device
  int64_t lease_bytes = 0;
  std::string device;  // of its lease, once started
  std::string result;  // opaque bytes, once SUCCEEDED
  int error_code = 0;  // absl::StatusCode, once FAILED
  std::string error_reason;
  std::string error_message;
  std::optional<base::WallTime> start_time;
  std::optional<base::WallTime> end_time;
  int64_t pid = 0;  // for people only: liveness is the lock on the step's directory

  bool operator==(const StepRecord&) const = default;
};

}  // namespace modelpatch::store
