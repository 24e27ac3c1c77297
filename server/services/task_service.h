// TaskService: registers tasks, with copies of their files in the server's own directory, and forgets them.
// Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "modelpatch/v1/task_service.grpc.pb.h"
#include "server/record_messages.h"
#include "server/services/service_context.h"
#include "server/services/unary_call.h"

namespace modelpatch::server {

class TaskService final : public v1::TaskService::CallbackService {
 public:
  explicit TaskService(const ServiceContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* CreateTask(grpc::CallbackServerContext* context, const v1::CreateTaskRequest* request,
                                       v1::Task* response) override;
  grpc::ServerReadReactor<v1::UploadTaskRequest>* UploadTask(grpc::CallbackServerContext* context,
                                                             v1::Task* response) override;
  grpc::ServerUnaryReactor* GetTask(grpc::CallbackServerContext* context, const v1::GetTaskRequest* request,
                                    v1::Task* response) override;
  grpc::ServerUnaryReactor* ListTasks(grpc::CallbackServerContext* context, const v1::ListTasksRequest* request,
                                      v1::ListTasksResponse* response) override;
  grpc::ServerUnaryReactor* DeleteTask(grpc::CallbackServerContext* context, const v1::DeleteTaskRequest* request,
                                       google::protobuf::Empty* response) override;

 private:
  // With files below `roots`.
  absl::Status Create(const v1::CreateTaskRequest& request, const RequestKey& key, const RootPaths& roots,
                      const base::CancellationToken& cancellation, v1::Task* response);
  // See AnswerRepeated.
  std::optional<absl::Status> AnswerRepeatedTask(const v1::CreateTaskRequest& request, const RequestKey& key,
                                                 v1::Task* response);
  absl::Status Delete(const std::string& name);
  // Whether a record still needs the copies under that name.
  absl::StatusOr<bool> InUse(const std::string& key);

  const ServiceContext context_;
};

}  // namespace modelpatch::server
