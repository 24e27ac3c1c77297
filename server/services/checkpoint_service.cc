#include "server/services/checkpoint_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "core/model/checkpoint_loader.h"
#include "server/checkpoint_weights.h"
#include "server/garbage_collection.h"
#include "server/job_messages.h"
#include "server/merge_conversion.h"
#include "server/model_copy.h"
#include "server/record_messages.h"
#include "server/resource_names.h"
#include "server/services/listing.h"
#include "server/status_conversion.h"
#include "server/task_conversion.h"
#include "server/version.h"

namespace modelpatch::server {
namespace {

// Of weights that were made of a mixture's terms.
v1::Checkpoint MergedMessage(const Resolution& resolution) {
  v1::Checkpoint message;
  message.set_kind(v1::CHECKPOINT_KIND_MERGED);
  v1::Lineage& lineage = *message.mutable_lineage();
  lineage.set_model(ResourceName(kModels, resolution.model.id));
  lineage.set_model_digest(resolution.model.digest);
  *lineage.mutable_parents() = resolution.message.terms();
  return message;
}

}  // namespace

grpc::ServerUnaryReactor* CheckpointService::ImportCheckpoint(grpc::CallbackServerContext* context,
                                                              const v1::ImportCheckpointRequest* request,
                                                              v1::Checkpoint* response) {
  return RunOn(context_.slow, *context,
               [=, this](const UnaryCall& call) { return Import(*request, call.cancellation(), response); });
}

grpc::ServerUnaryReactor* CheckpointService::GetCheckpoint(grpc::CallbackServerContext* context,
                                                           const v1::GetCheckpointRequest* request,
                                                           v1::Checkpoint* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) -> absl::Status {
    const auto record = context_.resolver.FindCheckpoint(request->name());
    if (!record.ok()) return base::WithField(record.status(), "name");
    MP_ASSIGN_OR_RETURN(*response, ToMessage(*record));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CheckpointService::ListCheckpoints(grpc::CallbackServerContext* context,
                                                             const v1::ListCheckpointsRequest* request,
                                                             v1::ListCheckpointsResponse* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) -> absl::Status {
    MP_ASSIGN_OR_RETURN(const auto page,
                        context_.metadata.ListCheckpoints({request->page_size(), request->page_token()}, ""));
    for (const store::CheckpointRecord& record : page.records) {
      MP_ASSIGN_OR_RETURN(*response->add_checkpoints(), ToMessage(record));
    }
    response->set_next_page_token(page.next_page_token);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* CheckpointService::DeleteCheckpoint(grpc::CallbackServerContext* context,
                                                              const v1::DeleteCheckpointRequest* request,
                                                              google::protobuf::Empty*) {
  return RunOn(context_.slow, *context, [=, this](const UnaryCall&) { return Delete(request->name()); });
}

grpc::ServerUnaryReactor* CheckpointService::Interpolate(grpc::CallbackServerContext* context,
                                                         const v1::InterpolateRequest* request,
                                                         v1::Checkpoint* response) {
  return RunOn(context_.slow, *context,
               [=, this](const UnaryCall& call) { return Merge(*request, call.cancellation(), response); });
}

grpc::ServerUnaryReactor* CheckpointService::CompareCheckpoints(grpc::CallbackServerContext* context,
                                                                const v1::CompareCheckpointsRequest* request,
                                                                v1::CompareCheckpointsResponse* response) {
  return RunOn(context_.slow, *context,
               [=, this](const UnaryCall& call) { return Compare(*request, call.cancellation(), response); });
}

absl::Status CheckpointService::Delete(const std::string& name) {
  const auto record = context_.resolver.FindCheckpoint(name);
  if (!record.ok()) return base::WithField(record.status(), "name");
  MP_RETURN_IF_ERROR(context_.metadata.DeleteCheckpoint(record->id));
  context_.log.Info("checkpoint deleted", {{"checkpoint", record->id}});
  // Another checkpoint may have the same weights.
  MP_ASSIGN_OR_RETURN(const std::vector<std::string> used, context_.metadata.ListBlobDigests());
  if (!std::binary_search(used.begin(), used.end(), record->blob_digest)) {
    context_.engine.EvictBlob(record->blob_digest);
  }
  CollectBlobs(context_.blobs, context_.metadata, context_.clock.Now(), context_.log);
  return absl::OkStatus();
}

absl::Status CheckpointService::Import(const v1::ImportCheckpointRequest& request,
                                       const base::CancellationToken& cancellation, v1::Checkpoint* response) {
  MP_RETURN_IF_ERROR(CheckNewResource(request.checkpoint_id(), "checkpoint_id", request.request_id()));
  const RequestKey key = MakeRequestKey(request, request.request_id());
  if (const auto answer = AnswerRepeatedCheckpoint(request.checkpoint_id(), key, response)) return *answer;
  const auto model_id = ParseResourceName(kModels, request.model());
  if (!model_id.ok()) return base::WithField(model_id.status(), "model");
  const auto model_record = context_.metadata.GetModel(*model_id);
  if (!model_record.ok()) return base::WithField(model_record.status(), "model");
  const auto source = context_.import_roots.Resolve(request.path());
  if (!source.ok()) return base::WithField(source.status(), "path");

  MP_ASSIGN_OR_RETURN(const auto model, context_.engine.GetModel(context_.models.PathOf(model_record->digest)));
  MP_ASSIGN_OR_RETURN(const std::unique_ptr<StagedDirectory> staged, context_.models.Stage());
  if (const absl::Status copied = CopyCheckpoint(context_.import_roots, *source, staged->path(), cancellation);
      !copied.ok()) {
    return AtField(copied, "path");
  }
  const auto weights = model::LoadCheckpoint(*model, staged->path(), cancellation);
  if (!weights.ok()) {
    // The copy of a file lies in the staged directory as the file does in its own.
    std::error_code ignored;
    const bool is_directory = std::filesystem::is_directory(*source, ignored);
    const std::string shown = is_directory ? *source : std::filesystem::path(*source).parent_path().string();
    return AtField(WithPathShownAs(weights.status(), staged->path(), shown), "path");
  }
  v1::Checkpoint message;
  message.set_kind(v1::CHECKPOINT_KIND_IMPORTED);
  v1::Lineage& lineage = *message.mutable_lineage();
  lineage.set_model(request.model());
  lineage.set_model_digest(model_record->digest);
  lineage.set_source_path(*source);
  return Add(request.checkpoint_id(), key, *model_id, *weights, std::move(message), response);
}

absl::Status CheckpointService::Merge(const v1::InterpolateRequest& request,
                                      const base::CancellationToken& cancellation, v1::Checkpoint* response) {
  MP_RETURN_IF_ERROR(CheckNewResource(request.checkpoint_id(), "checkpoint_id", request.request_id()));
  const RequestKey key = MakeRequestKey(request, request.request_id());
  if (const auto answer = AnswerRepeatedCheckpoint(request.checkpoint_id(), key, response)) return *answer;
  if (request.patch().empty() && request.mixture().terms().empty()) {
    return base::WithField(
        base::InvalidArgument("NO_TERMS", "the mixture has no term; name at least one checkpoint and its coefficient"),
        "mixture.terms");
  }
  if (request.has_merge()) return MergeByMethod(request, key, cancellation, response);
  MP_ASSIGN_OR_RETURN(const Resolution resolution, context_.resolver.ResolveRequest(request));
  MP_ASSIGN_OR_RETURN(const auto model, context_.engine.GetModel(resolution.mixture.model_directory));
  MP_ASSIGN_OR_RETURN(const tensor::WeightSet merged, MergeWeights(*model, resolution.mixture.terms, context_.blobs));
  return Add(request.checkpoint_id(), key, resolution.model.id, merged, MergedMessage(resolution), response);
}

absl::Status CheckpointService::MergeByMethod(const v1::InterpolateRequest& request, const RequestKey& key,
                                              const base::CancellationToken& cancellation, v1::Checkpoint* response) {
  if (!request.patch().empty()) {
    return base::WithField(base::InvalidArgument("MERGE_OF_PATCH",
                                                 "a merging method takes the terms of a mixture, not a patch; name the "
                                                 "patch's checkpoints as terms"),
                           "merge");
  }
  const auto options = MergeOptionsOf(request.merge(), static_cast<size_t>(request.mixture().terms_size()));
  if (!options.ok()) return base::WithField(options.status(), "merge");
  if (options->method == patch::MergeMethod::kFisher) {
    return base::WithField(
        base::InvalidArgument(
            "MERGE_NEEDS_JOB",
            "a merge by fisher needs Fisher information, which only a patch job estimates: submit one "
            "with the strategy parallel and this merge"),
        "merge.fisher");
  }
  // The coefficients of a merge may be beyond 1.
  v1::Mixture mixture = request.mixture();
  mixture.set_allow_extrapolation(true);
  const auto resolution = context_.resolver.Resolve(mixture);
  if (!resolution.ok()) return base::WithField(resolution.status(), "mixture");
  MP_ASSIGN_OR_RETURN(const auto model, context_.engine.GetModel(resolution->mixture.model_directory));
  const auto merged = MergeWeightsBy(*options, *model, resolution->mixture.terms, context_.blobs, cancellation);
  if (!merged.ok()) {
    return base::FieldOf(merged.status()).empty() ? merged.status() : base::WithField(merged.status(), "mixture");
  }
  v1::Checkpoint message = MergedMessage(*resolution);
  *message.mutable_lineage()->mutable_merge() = MergeMessage(*options);
  return Add(request.checkpoint_id(), key, resolution->model.id, *merged, std::move(message), response);
}

std::optional<absl::Status> CheckpointService::AnswerRepeatedCheckpoint(const std::string& id, const RequestKey& key,
                                                                        v1::Checkpoint* response) {
  return AnswerRepeated(kCheckpoints, context_.metadata.GetCheckpoint(id), key, response);
}

absl::Status CheckpointService::Add(const std::string& id, const RequestKey& key, const std::string& model_id,
                                    const tensor::WeightSet& weights, v1::Checkpoint message,
                                    v1::Checkpoint* response) {
  message.mutable_lineage()->set_layout_digest(weights.layout().digest());
  message.mutable_lineage()->set_code_version(Version());
  const auto record = Record(id, key, model_id, weights, std::move(message));
  if (!record.ok()) {
    // The blob may be one that nothing names now.
    CollectBlobs(context_.blobs, context_.metadata, context_.clock.Now(), context_.log);
    // The same call may have been made twice at a time, and the other one was faster.
    return AnswerRepeatedCheckpoint(id, key, response).value_or(record.status());
  }
  context_.log.Info("checkpoint added", {{"checkpoint", record->id}, {"blob", record->blob_digest}});
  MP_ASSIGN_OR_RETURN(*response, ToMessage(*record));
  return absl::OkStatus();
}

absl::StatusOr<store::CheckpointRecord> CheckpointService::Record(const std::string& id, const RequestKey& key,
                                                                  const std::string& model_id,
                                                                  const tensor::WeightSet& weights,
                                                                  v1::Checkpoint message) {
  base::MutexLock lock(context_.blobs.mutex());
  store::CheckpointRecord record;
  MP_ASSIGN_OR_RETURN(
      record.blob_digest,
      context_.blobs.Put(weights, {{"model_digest", message.lineage().model_digest()}, {"code_version", Version()}}));
  record.id = id;
  record.model_id = model_id;
  message.set_blob_digest(record.blob_digest);
  message.set_size_bytes(BlobBytes(context_.blobs.directory(), record.blob_digest));
  record.manifest_json = ToRecordJson(message, key);
  record.create_time = context_.clock.Now();
  const absl::Status inserted = context_.metadata.InsertCheckpoint(record);
  if (inserted.code() == absl::StatusCode::kAlreadyExists) return base::WithField(inserted, "checkpoint_id");
  MP_RETURN_IF_ERROR(inserted);
  return record;
}

absl::StatusOr<v1::Mixture> CheckpointService::MixtureOf(const std::string& name) const {
  v1::Mixture mixture;
  if (name.rfind("models/", 0) == 0) {
    mixture.set_model(name);
    return mixture;
  }
  MP_RETURN_IF_ERROR(ParseResourceName(kCheckpoints, name).status());
  auto* term = mixture.add_terms();
  term->set_checkpoint(name);
  term->set_coefficient(1);
  return mixture;
}

absl::Status CheckpointService::Compare(const v1::CompareCheckpointsRequest& request,
                                        const base::CancellationToken& cancellation,
                                        v1::CompareCheckpointsResponse* response) {
  std::vector<Resolution> sides;
  for (const auto& [field, name] : {std::pair("first", &request.first()), {"second", &request.second()}}) {
    const auto mixture = MixtureOf(*name);
    if (!mixture.ok()) return base::WithField(mixture.status(), field);
    auto resolution = context_.resolver.Resolve(*mixture);
    if (!resolution.ok()) {
      return AtField(resolution.status(), field);
    }
    sides.push_back(*std::move(resolution));
  }
  if (sides[0].model.digest != sides[1].model.digest) {
    return base::WithField(
        base::FailedPrecondition("CHECKPOINT_OF_ANOTHER_MODEL",
                                 fmt::format("{} is of {} and {} of {}; compare weights of one model", request.first(),
                                             sides[0].message.model(), request.second(), sides[1].message.model())),
        "second");
  }
  MP_ASSIGN_OR_RETURN(const auto model, context_.engine.GetModel(sides[0].mixture.model_directory));
  MP_ASSIGN_OR_RETURN(const tensor::WeightSet first, MergeWeights(*model, sides[0].mixture.terms, context_.blobs));
  MP_ASSIGN_OR_RETURN(const tensor::WeightSet second, MergeWeights(*model, sides[1].mixture.terms, context_.blobs));
  MP_ASSIGN_OR_RETURN(const WeightComparison comparison, CompareWeightSets(model->image_weights, first, second));
  response->set_weight_cosine(comparison.cosine);
  response->set_weight_mean_absolute_difference(comparison.mean_absolute_difference);
  response->set_weight_distance(comparison.distance);
  if (comparison.task_vector_cosine.has_value()) response->set_task_vector_cosine(*comparison.task_vector_cosine);

  for (int i = 0; i < request.tasks_size(); ++i) {
    const std::string field = fmt::format("tasks[{}]", i);
    const auto id = ParseResourceName(kTasks, request.tasks(i));
    if (!id.ok()) return base::WithField(id.status(), field);
    const auto record = context_.metadata.GetTask(*id);
    if (!record.ok()) return base::WithField(record.status(), field);
    MP_ASSIGN_OR_RETURN(const v1::Task task, ToMessage(*record));
    if (task.validation_examples() == 0) {
      return base::WithField(
          base::FailedPrecondition("EMPTY_SPLIT", fmt::format("{} has no validation examples", request.tasks(i))),
          field);
    }
    MP_ASSIGN_OR_RETURN(const data::TaskSource source, TaskSourceOf(*record, context_.tasks.path()));
    auto* cka = response->add_cka();
    cka->set_task(request.tasks(i));
    MP_ASSIGN_OR_RETURN(const double value, CompareFeatures(model, first, second, *id, source, cancellation));
    cka->set_cka(value);
  }
  return absl::OkStatus();
}

}  // namespace modelpatch::server
