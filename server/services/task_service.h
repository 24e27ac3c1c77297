// TaskService: registers tasks, with copies of their files in the server's own directory, and forgets them.
// Thread-safe.
#pragma once

#include "modelpatch/v1/task_service.grpc.pb.h"
#include "server/services/service_context.h"
#include "server/services/unary_call.h"

namespace modelpatch::server {

class TaskService final : public v1::TaskService::CallbackService {
 public:
  explicit TaskService(const ServiceContext& context) : context_(context) {}

  grpc::ServerUnaryReactor* CreateTask(grpc::CallbackServerContext* context, const v1::CreateTaskRequest* request,
                                       v1::Task* response) override;
  grpc::ServerUnaryReactor* GetTask(grpc::CallbackServerContext* context, const v1::GetTaskRequest* request,
                                    v1::Task* response) override;
  grpc::ServerUnaryReactor* ListTasks(grpc::CallbackServerContext* context, const v1::ListTasksRequest* request,
                                      v1::ListTasksResponse* response) override;
  grpc::ServerUnaryReactor* DeleteTask(grpc::CallbackServerContext* context, const v1::DeleteTaskRequest* request,
                                       google::protobuf::Empty* response) override;

 private:
  absl::Status Create(const v1::CreateTaskRequest& request, const base::CancellationToken& cancellation,
                      v1::Task* response);
  absl::Status Delete(const std::string& name);
  // Whether a record still needs the copies under that name.
  absl::StatusOr<bool> InUse(const std::string& key);

  const ServiceContext context_;
};

}  // namespace modelpatch::server
