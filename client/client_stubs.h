// The stubs of a Client, one for each service: for its own files. Immutable once made.
#pragma once

#include <memory>

#include "client/client.h"
#include "modelpatch/v1/checkpoint_service.grpc.pb.h"
#include "modelpatch/v1/evaluation_service.grpc.pb.h"
#include "modelpatch/v1/inference_service.grpc.pb.h"
#include "modelpatch/v1/model_service.grpc.pb.h"
#include "modelpatch/v1/patch_job_service.grpc.pb.h"
#include "modelpatch/v1/patch_service.grpc.pb.h"
#include "modelpatch/v1/task_service.grpc.pb.h"

namespace modelpatch::client {

struct Client::Stubs {
  explicit Stubs(const std::shared_ptr<grpc::ChannelInterface>& channel)
      : models(v1::ModelService::NewStub(channel)),
        tasks(v1::TaskService::NewStub(channel)),
        jobs(v1::PatchJobService::NewStub(channel)),
        checkpoints(v1::CheckpointService::NewStub(channel)),
        patches(v1::PatchService::NewStub(channel)),
        evaluation(v1::EvaluationService::NewStub(channel)),
        inference(v1::InferenceService::NewStub(channel)) {}

  std::unique_ptr<v1::ModelService::Stub> models;
  std::unique_ptr<v1::TaskService::Stub> tasks;
  std::unique_ptr<v1::PatchJobService::Stub> jobs;
  std::unique_ptr<v1::CheckpointService::Stub> checkpoints;
  std::unique_ptr<v1::PatchService::Stub> patches;
  std::unique_ptr<v1::EvaluationService::Stub> evaluation;
  std::unique_ptr<v1::InferenceService::Stub> inference;
};

}  // namespace modelpatch::client
