#include "server/services/task_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

#include "core/base/digest.h"
#include "core/data/example_loop.h"
#include "core/data/task.h"
#include "server/record_messages.h"
#include "server/resource_names.h"
#include "server/services/listing.h"
#include "server/services/upload_call.h"
#include "server/task_conversion.h"

namespace modelpatch::server {
namespace {

// One image that is being decoded may take 700 MB.
constexpr int kMaximumDecodeThreads = 4;
constexpr int64_t kMaximumUploadedFiles = 100'000;

absl::Status InTask(const absl::Status& status, const v1::Task& task) {
  return base::WithField(WithTaskField(status, task), "task");
}

// Fails early, with the client's own words, where a path is not allowed.
absl::Status CheckPaths(const data::TaskSource& source, const RootPaths& roots) {
  for (const auto& [field, path] :
       {std::pair("train", &source.train), {"validation", &source.validation}, {"test", &source.test}}) {
    if (path->empty()) continue;
    MP_RETURN_IF_ERROR(base::WithField(roots.Resolve(*path).status(), field));
  }
  return absl::OkStatus();
}

// Messages speak of the client's files, not of our copies. `copied` is `asked` with the copies' paths, all below
// `directory`.
absl::Status WithClientsPaths(absl::Status status, const std::string& task_id, const data::TaskSource& asked,
                              const data::TaskSource& copied, const std::string& directory) {
  for (const auto& [split, path, copy] : {std::tuple(data::Split::kTrain, &asked.train, &copied.train),
                                          {data::Split::kValidation, &asked.validation, &copied.validation},
                                          {data::Split::kTest, &asked.test, &copied.test}}) {
    if (path->empty()) continue;
    status = WithPathShownAs(WithPathShownAs(status, *copy, *path), data::ShownPath(task_id, split), *path);
  }
  return WithPathShownAs(status, directory + "/", "");
}

// Decodes every image: one that cannot be read must not come to light in the middle of a job.
absl::Status CheckImages(const data::Task& task, const data::TaskSource& source,
                         const base::CancellationToken& cancellation) {
  // Of the others, opening checks all.
  if (source.format != "image-folder" && source.format != "json-lines") return absl::OkStatus();
  const int threads = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMaximumDecodeThreads);
  for (const data::Split split : {data::Split::kTrain, data::Split::kValidation, data::Split::kTest}) {
    const auto& dataset = task.split(split);
    if (dataset == nullptr) continue;
    const absl::Status status = data::ForEachExample(dataset->size(), threads, cancellation,
                                                     [&](int64_t index) { return dataset->image(index).status(); });
    const bool carved_out = split == data::Split::kValidation && source.validation.empty();
    if (!status.ok()) return base::WithField(status, data::SplitName(carved_out ? data::Split::kTrain : split));
  }
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* TaskService::CreateTask(grpc::CallbackServerContext* context,
                                                  const v1::CreateTaskRequest* request, v1::Task* response) {
  return RunOn(context_.slow, *context, [=, this](const UnaryCall& call) {
    const RequestKey key = MakeRequestKey(*request, request->request_id());
    return Create(*request, key, context_.import_roots, call.cancellation(), response);
  });
}

grpc::ServerReadReactor<v1::UploadTaskRequest>* TaskService::UploadTask(grpc::CallbackServerContext*,
                                                                        v1::Task* response) {
  using Call = UploadCall<v1::UploadTaskRequest, v1::Task>;
  Call::Hooks hooks;
  hooks.maximum_files = kMaximumUploadedFiles;
  hooks.answer_early = [this](const v1::UploadTaskHeader& header, v1::Task* task) -> std::optional<absl::Status> {
    if (!header.request().task().has_files()) {
      return base::WithField(base::InvalidArgument("TASK_WITHOUT_FILES",
                                                   "the task has no files; set their format and paths, or create it "
                                                   "without an upload"),
                             "request.task.files");
    }
    const absl::Status checked = CheckNewResource(header.request().task_id(), "task_id", header.request().request_id());
    if (!checked.ok()) return base::WithField(checked, "request");
    const auto answer = AnswerRepeatedTask(header.request(), KeyOfUpload(header), task);
    return answer.has_value() ? std::optional(base::WithField(*answer, "request")) : std::nullopt;
  };
  hooks.import = [this](const v1::UploadTaskHeader& header, const std::string& directory,
                        const base::CancellationToken& cancellation, v1::Task* task) -> absl::Status {
    MP_ASSIGN_OR_RETURN(const RootPaths roots, RootPaths::Make({directory}));
    return base::WithField(Create(header.request(), KeyOfUpload(header), roots, cancellation, task), "header.request");
  };
  return Call::Start(context_, std::move(hooks), response);
}

grpc::ServerUnaryReactor* TaskService::GetTask(grpc::CallbackServerContext* context, const v1::GetTaskRequest* request,
                                               v1::Task* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) -> absl::Status {
    const auto id = ParseResourceName(kTasks, request->name());
    if (!id.ok()) return base::WithField(id.status(), "name");
    MP_ASSIGN_OR_RETURN(const store::TaskRecord record, context_.metadata.GetTask(*id));
    MP_ASSIGN_OR_RETURN(*response, ToMessage(record));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* TaskService::ListTasks(grpc::CallbackServerContext* context,
                                                 const v1::ListTasksRequest* request, v1::ListTasksResponse* response) {
  return RunOn(context_.quick, *context, [=, this](const UnaryCall&) -> absl::Status {
    MP_ASSIGN_OR_RETURN(const auto page, context_.metadata.ListTasks({request->page_size(), request->page_token()}));
    for (const store::TaskRecord& record : page.records) {
      MP_ASSIGN_OR_RETURN(*response->add_tasks(), ToMessage(record));
    }
    response->set_next_page_token(page.next_page_token);
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* TaskService::DeleteTask(grpc::CallbackServerContext* context,
                                                  const v1::DeleteTaskRequest* request, google::protobuf::Empty*) {
  return RunOn(context_.slow, *context, [=, this](const UnaryCall&) { return Delete(request->name()); });
}

std::optional<absl::Status> TaskService::AnswerRepeatedTask(const v1::CreateTaskRequest& request, const RequestKey& key,
                                                            v1::Task* response) {
  return AnswerRepeated(kTasks, context_.metadata.GetTask(request.task_id()), key, response);
}

absl::Status TaskService::Create(const v1::CreateTaskRequest& request, const RequestKey& key, const RootPaths& roots,
                                 const base::CancellationToken& cancellation, v1::Task* response) {
  MP_RETURN_IF_ERROR(CheckNewResource(request.task_id(), "task_id", request.request_id()));
  if (const auto answer = AnswerRepeatedTask(request, key, response)) return *answer;
  const v1::Task& asked = request.task();
  const auto source = ToTaskSource(asked, roots);
  if (!source.ok()) return base::WithField(source.status(), "task");
  MP_RETURN_IF_ERROR(InTask(data::CheckTaskSource(*source), asked));
  MP_RETURN_IF_ERROR(InTask(CheckPaths(*source, roots), asked));

  MP_ASSIGN_OR_RETURN(const std::unique_ptr<StagedDirectory> staged, context_.tasks.Stage());
  const std::string staged_path = staged->path();
  auto stored = StageTaskFiles(*source, roots, staged_path, cancellation);
  if (!stored.ok()) return InTask(stored.status(), asked);
  // The copies are opened, not the originals: what was checked is what is kept.
  v1::Task message = asked;
  std::string whole_digest;
  {
    data::DecodeLimits limits;
    limits.maximum_pixels = context_.options.maximum_image_pixels;
    const data::TaskSource copied = WithDirectory(*stored, staged_path);
    const auto opened = data::OpenTask(request.task_id(), copied, limits);
    const absl::Status checked = opened.ok() ? CheckImages(*opened, copied, cancellation) : opened.status();
    if (!checked.ok()) {
      return InTask(WithClientsPaths(checked, request.task_id(), *source, copied, staged_path), asked);
    }
    FillTask(*opened, message);
    whole_digest = opened->whole_digest;
  }
  // Equal bytes in equal places share one directory, and so do all parts of a partition.
  const std::string content =
      ContentKeyOf(*stored).empty() ? "" : base::Sha256Hex(whole_digest + "\n" + ContentJson(*stored));
  store::TaskRecord record;
  record.id = request.task_id();
  record.digest = message.digest();
  record.source_json = data::TaskSourceToJson(content.empty() ? *stored : WithDirectory(*stored, content));
  record.details_json = ToRecordJson(message, key);
  record.create_time = context_.clock.Now();

  base::MutexLock lock(context_.tasks.mutex());
  if (!content.empty()) MP_RETURN_IF_ERROR(context_.tasks.Publish(*staged, content));
  if (const absl::Status inserted = context_.metadata.InsertTask(record); !inserted.ok()) {
    const auto in_use = InUse(content);
    if (!content.empty() && in_use.ok() && !*in_use) (void)context_.tasks.Remove(content);
    // The same call may have been made twice at a time, and the other one was faster.
    return AnswerRepeatedTask(request, key, response).value_or(inserted);
  }
  context_.log.Info("task created", {{"task", record.id}, {"digest", record.digest}});
  MP_ASSIGN_OR_RETURN(*response, ToMessage(record));
  return absl::OkStatus();
}

absl::Status TaskService::Delete(const std::string& name) {
  const auto id = ParseResourceName(kTasks, name);
  if (!id.ok()) return base::WithField(id.status(), "name");
  base::MutexLock lock(context_.tasks.mutex());
  MP_ASSIGN_OR_RETURN(const store::TaskRecord record, context_.metadata.GetTask(*id));
  MP_RETURN_IF_ERROR(context_.metadata.DeleteTask(*id));
  const auto source = data::TaskSourceFromJson(record.source_json);
  const std::string key = source.ok() ? ContentKeyOf(*source) : "";
  if (!key.empty()) {
    MP_ASSIGN_OR_RETURN(const bool in_use, InUse(key));
    if (!in_use) MP_RETURN_IF_ERROR(context_.tasks.Remove(key));
  }
  context_.log.Info("task deleted", {{"task", *id}});
  return absl::OkStatus();
}

absl::StatusOr<bool> TaskService::InUse(const std::string& key) {
  return AnyRecord<store::TaskRecord>(
      [this](const store::PageRequest& page) { return context_.metadata.ListTasks(page); },
      [&](const store::TaskRecord& record) {
        const auto source = data::TaskSourceFromJson(record.source_json);
        return source.ok() && ContentKeyOf(*source) == key;
      });
}

}  // namespace modelpatch::server
