#include "tests/client/fake_server.h"

#include <gtest/gtest.h>

#include "google/protobuf/empty.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace modelpatch::testing {
namespace {

template <typename Function, typename... Arguments>
grpc::Status CallOr(const Function& function, Arguments&&... arguments) {
  if (!function) return {grpc::StatusCode::UNIMPLEMENTED, "the test has not set this call"};
  return function(std::forward<Arguments>(arguments)...);
}

}  // namespace

grpc::Status DetailedError(grpc::StatusCode code, const std::string& message, const std::string& reason,
                           const std::string& field) {
  google::rpc::Status status;
  status.set_code(code);
  status.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("modelpatch");
  status.add_details()->PackFrom(info);
  if (!field.empty()) {
    google::rpc::BadRequest request;
    auto& violation = *request.add_field_violations();
    violation.set_field(field);
    violation.set_description(message);
    status.add_details()->PackFrom(request);
  }
  return {code, message, status.SerializeAsString()};
}

struct FakeServer::Services {
  struct Models final : v1::ModelService::Service {
    explicit Models(FakeServer& fake) : fake(fake) {}
    grpc::Status GetModel(grpc::ServerContext*, const v1::GetModelRequest* request, v1::Model* response) override {
      return CallOr(fake.get_model, *request, *response);
    }
    grpc::Status ImportModel(grpc::ServerContext*, const v1::ImportModelRequest* request,
                             v1::Model* response) override {
      return CallOr(fake.import_model, *request, *response);
    }
    grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest* request,
                            v1::ListModelsResponse* response) override {
      return CallOr(fake.list_models, *request, *response);
    }
    grpc::Status DeleteModel(grpc::ServerContext*, const v1::DeleteModelRequest* request,
                             google::protobuf::Empty*) override {
      return CallOr(fake.delete_model, *request);
    }
    grpc::Status UploadModel(grpc::ServerContext*, grpc::ServerReader<v1::UploadModelRequest>* reader,
                             v1::Model* response) override {
      return CallOr(fake.upload_model, *reader, *response);
    }
    grpc::Status DownloadModel(grpc::ServerContext*, const v1::DownloadModelRequest* request,
                               grpc::ServerWriter<v1::DownloadModelResponse>* writer) override {
      return CallOr(fake.download_model, *request, *writer);
    }
    FakeServer& fake;
  };

  struct Tasks final : v1::TaskService::Service {
    explicit Tasks(FakeServer& fake) : fake(fake) {}
    grpc::Status CreateTask(grpc::ServerContext*, const v1::CreateTaskRequest* request, v1::Task* response) override {
      return CallOr(fake.create_task, *request, *response);
    }
    FakeServer& fake;
  };

  struct Jobs final : v1::PatchJobService::Service {
    explicit Jobs(FakeServer& fake) : fake(fake) {}
    grpc::Status CreatePatchJob(grpc::ServerContext*, const v1::CreatePatchJobRequest* request,
                                v1::PatchJob* response) override {
      return CallOr(fake.create_patch_job, *request, *response);
    }
    grpc::Status GetPatchJob(grpc::ServerContext*, const v1::GetPatchJobRequest* request,
                             v1::PatchJob* response) override {
      return CallOr(fake.get_patch_job, *request, *response);
    }
    grpc::Status WatchPatchJob(grpc::ServerContext*, const v1::WatchPatchJobRequest* request,
                               grpc::ServerWriter<v1::PatchJobEvent>* writer) override {
      return CallOr(fake.watch_patch_job, *request, *writer);
    }
    FakeServer& fake;
  };

  struct Patches final : v1::PatchService::Service {
    explicit Patches(FakeServer& fake) : fake(fake) {}
    grpc::Status CreatePatch(grpc::ServerContext*, const v1::CreatePatchRequest* request,
                             v1::Patch* response) override {
      return CallOr(fake.create_patch, *request, *response);
    }
    grpc::Status GetPatch(grpc::ServerContext*, const v1::GetPatchRequest* request, v1::Patch* response) override {
      return CallOr(fake.get_patch, *request, *response);
    }
    grpc::Status PromotePatch(grpc::ServerContext*, const v1::PromotePatchRequest* request,
                              v1::Patch* response) override {
      return CallOr(fake.promote_patch, *request, *response);
    }
    grpc::Status RollbackPatch(grpc::ServerContext*, const v1::RollbackPatchRequest* request,
                               v1::Patch* response) override {
      return CallOr(fake.rollback_patch, *request, *response);
    }
    grpc::Status DeletePatch(grpc::ServerContext*, const v1::DeletePatchRequest* request,
                             google::protobuf::Empty*) override {
      return CallOr(fake.delete_patch, *request);
    }
    FakeServer& fake;
  };

  struct Evaluation final : v1::EvaluationService::Service {
    explicit Evaluation(FakeServer& fake) : fake(fake) {}
    grpc::Status Sweep(grpc::ServerContext*, const v1::SweepRequest* request,
                       grpc::ServerWriter<v1::SweepResponse>* writer) override {
      return CallOr(fake.sweep, *request, *writer);
    }
    FakeServer& fake;
  };

  struct Inference final : v1::InferenceService::Service {
    explicit Inference(FakeServer& fake) : fake(fake) {}
    grpc::Status Classify(grpc::ServerContext*, const v1::ClassifyRequest* request,
                          v1::ClassifyResponse* response) override {
      return CallOr(fake.classify, *request, *response);
    }
    grpc::Status StreamClassify(
        grpc::ServerContext*,
        grpc::ServerReaderWriter<v1::StreamClassifyResponse, v1::StreamClassifyRequest>* stream) override {
      return CallOr(fake.stream_classify, *stream);
    }
    FakeServer& fake;
  };

  struct Uploads final : v1::UploadService::Service {
    explicit Uploads(FakeServer& fake) : fake(fake) {}
    grpc::Status GetUpload(grpc::ServerContext*, const v1::GetUploadRequest* request, v1::Upload* response) override {
      return CallOr(fake.get_upload, *request, *response);
    }
    FakeServer& fake;
  };

  explicit Services(FakeServer& fake)
      : models(fake), tasks(fake), jobs(fake), patches(fake), evaluation(fake), inference(fake), uploads(fake) {}

  Models models;
  Tasks tasks;
  Jobs jobs;
  Patches patches;
  Evaluation evaluation;
  Inference inference;
  Uploads uploads;
};

FakeServer::FakeServer() : services_(std::make_unique<Services>(*this)) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.SetMaxReceiveMessageSize(64 << 20);
  builder.RegisterService(&services_->models);
  builder.RegisterService(&services_->tasks);
  builder.RegisterService(&services_->jobs);
  builder.RegisterService(&services_->patches);
  builder.RegisterService(&services_->evaluation);
  builder.RegisterService(&services_->inference);
  builder.RegisterService(&services_->uploads);
  server_ = builder.BuildAndStart();
  EXPECT_NE(server_, nullptr);
  address_ = "127.0.0.1:" + std::to_string(port);
}

FakeServer::~FakeServer() { server_->Shutdown(); }

}  // namespace modelpatch::testing
