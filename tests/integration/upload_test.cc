// Files from and to clients that share no disk with the server: they arrive whole or not at all, and leave nothing.

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/digest.h"
#include "modelpatch/v1/upload_service.grpc.pb.h"
#include "tests/integration/end_to_end.h"

namespace modelpatch::testing {
namespace {

namespace fs = std::filesystem;
using grpc::StatusCode;
using ::testing::HasSubstr;
using ::testing::Not;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct File {
  std::string path;
  std::string content;
};

v1::UploadManifest ManifestOf(const std::vector<File>& files, const std::string& id = "") {
  v1::UploadManifest manifest;
  manifest.set_upload_id(id);
  for (const File& file : files) {
    auto& message = *manifest.add_files();
    message.set_path(file.path);
    message.set_size_bytes(static_cast<int64_t>(file.content.size()));
    message.set_sha256(base::Sha256Hex(file.content));
  }
  return manifest;
}

v1::UploadChunk Chunk(int index, int64_t offset, const std::string& data) {
  v1::UploadChunk chunk;
  chunk.set_file_index(index);
  chunk.set_offset_bytes(offset);
  chunk.set_data(data);
  return chunk;
}

// One call, of a model or a task. Belongs to one thread.
template <typename Request, typename Response>
class Upload {
 public:
  template <typename Open>
  explicit Upload(Open&& open) : writer_(open(&context_, &response_)) {}

  bool WriteHeader(const decltype(std::declval<Request>().header().request())& request,
                   const v1::UploadManifest& files) {
    Request message;
    *message.mutable_header()->mutable_request() = request;
    *message.mutable_header()->mutable_manifest() = files;
    return writer_->Write(message);
  }
  bool Write(const v1::UploadChunk& chunk) {
    Request message;
    *message.mutable_chunk() = chunk;
    return writer_->Write(message);
  }
  bool WriteEmpty() { return writer_->Write(Request()); }
  // In pieces of `piece` bytes.
  void WriteFiles(const std::vector<File>& files, size_t piece = 1 << 20) {
    for (size_t i = 0; i < files.size(); ++i) {
      for (size_t at = 0; at < files[i].content.size(); at += piece) {
        Write(Chunk(static_cast<int>(i), static_cast<int64_t>(at), files[i].content.substr(at, piece)));
      }
    }
  }
  grpc::Status Finish() {
    writer_->WritesDone();
    return writer_->Finish();
  }
  void Cancel() {
    context_.TryCancel();
    writer_->Finish();
  }
  const Response& response() const { return response_; }

 private:
  grpc::ClientContext context_;
  Response response_;
  std::unique_ptr<grpc::ClientWriter<Request>> writer_;
};

using ModelUpload = Upload<v1::UploadModelRequest, v1::Model>;
using TaskUpload = Upload<v1::UploadTaskRequest, v1::Task>;

class UploadTest : public EndToEnd {
 protected:
  // Without any import root.
  void Start(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.end(), {"--threads", "1"});
    server_ = ServerProcess::Start(data_dir(), std::move(arguments));
    ASSERT_NE(server_, nullptr);
    stubs_ = std::make_unique<Stubs>(server_->Connect());
    uploads_ = v1::UploadService::NewStub(server_->Connect());
    WriteTinyModel(scratch_.Path("tiny"));
    for (const auto& entry : fs::directory_iterator(scratch_.Path("tiny"))) {
      model_.push_back({entry.path().filename().string(), ReadAll(entry.path().string())});
    }
  }
  std::unique_ptr<ModelUpload> NewModelUpload() {
    return std::make_unique<ModelUpload>([&](grpc::ClientContext* context, v1::Model* response) {
      return stubs_->models->UploadModel(context, response);
    });
  }
  std::unique_ptr<TaskUpload> NewTaskUpload() {
    return std::make_unique<TaskUpload>(
        [&](grpc::ClientContext* context, v1::Task* response) { return stubs_->tasks->UploadTask(context, response); });
  }
  static v1::ImportModelRequest ModelRequest(const std::string& id = "sent", const std::string& request_id = "") {
    v1::ImportModelRequest request;
    request.set_model_id(id);
    request.set_request_id(request_id);
    return request;
  }
  static v1::CreateTaskRequest TaskRequest() {
    v1::CreateTaskRequest request;
    request.set_task_id("folder");
    v1::TaskFiles& files = *request.mutable_task()->mutable_files();
    files.set_format(v1::TASK_FORMAT_IMAGE_FOLDER);
    files.set_train_path("learn");
    files.set_test_path("exam");
    files.set_validation_fraction(0.5);
    return request;
  }
  static std::vector<File> ImageFolder() {
    std::vector<File> files;
    for (const char* split : {"learn", "exam"}) {
      for (const char* file : {"/red/1.png", "/red/2.png", "/blue/1.png", "/blue/2.png"}) {
        files.push_back({std::string(split) + file, MakePng(8, 8, file[1] == 'r' ? 255 : 0, 0, 0)});
      }
    }
    return files;
  }
  grpc::Status GetUpload(const std::string& id, v1::Upload* upload) {
    grpc::ClientContext context;
    v1::GetUploadRequest request;
    request.set_name("uploads/" + id);
    return uploads_->GetUpload(&context, request, upload);
  }
  grpc::Status DeleteUpload(const std::string& id) {
    grpc::ClientContext context;
    v1::DeleteUploadRequest request;
    request.set_name("uploads/" + id);
    google::protobuf::Empty empty;
    return uploads_->DeleteUpload(&context, request, &empty);
  }
  int64_t CountIn(const char* folder) const {
    return std::distance(fs::directory_iterator(data_dir() + "/" + folder), fs::directory_iterator());
  }
  // The server sees a moment later that a client has gone.
  void ExpectStagingEmptySoon() {
    for (int i = 0; i < 100'000 && CountIn("staging") > 0; ++i) ExpectServerAlive();
    EXPECT_EQ(CountIn("staging"), 0);
  }

  std::unique_ptr<v1::UploadService::Stub> uploads_;
  std::vector<File> model_;
};

TEST_F(UploadTest, AModelThatWasSentIsTheModelThatWasImported) {
  Start({"--import-root", scratch_.path()});
  v1::Model imported;
  {
    grpc::ClientContext context;
    v1::ImportModelRequest request = ModelRequest("imported");
    request.set_path("tiny");
    ASSERT_THAT(stubs_->models->ImportModel(&context, request, &imported), Succeeds());
  }
  const auto upload = NewModelUpload();
  upload->WriteHeader(ModelRequest(), ManifestOf(model_));
  upload->WriteFiles(model_, 1000);
  ASSERT_THAT(upload->Finish(), Succeeds());
  EXPECT_EQ(upload->response().name(), "models/sent");
  EXPECT_EQ(upload->response().digest(), imported.digest());
  EXPECT_EQ(upload->response().source_path(), "");
  EXPECT_EQ(CountIn("staging"), 0);
  EXPECT_EQ(CountIn("models"), 1);
  v1::ClassifyRequest request = ClassifyRequestAt("", 0);
  request.mutable_mixture()->set_model("models/sent");
  EXPECT_THAT(Classify(request), Succeeds());
}

TEST_F(UploadTest, ARepeatedRequestIsAnsweredWithoutItsFiles) {
  Start();
  const auto first = NewModelUpload();
  first->WriteHeader(ModelRequest("sent", "r"), ManifestOf(model_, "one"));
  first->WriteFiles(model_);
  ASSERT_THAT(first->Finish(), Succeeds());
  const auto again = NewModelUpload();
  again->WriteHeader(ModelRequest("sent", "r"), ManifestOf(model_, "two"));
  ASSERT_THAT(again->Finish(), Succeeds());
  EXPECT_EQ(again->response().digest(), first->response().digest());
  const auto other = NewModelUpload();
  other->WriteHeader(ModelRequest("sent", "r"), ManifestOf({{"config.json", "{}"}}));
  EXPECT_THAT(other->Finish(), AnswersWith(StatusCode::ALREADY_EXISTS, "REQUEST_ID_REUSED"));
  const auto same_name = NewModelUpload();
  same_name->WriteHeader(ModelRequest("sent"), ManifestOf(model_));
  EXPECT_THAT(same_name->Finish(), AnswersWith(StatusCode::ALREADY_EXISTS, "RESOURCE_ALREADY_EXISTS"));
  EXPECT_EQ(CountIn("staging"), 0);
}

TEST_F(UploadTest, ATaskIsMadeOfFilesThatWereSent) {
  Start();
  const std::vector<File> files = ImageFolder();
  const auto upload = NewTaskUpload();
  upload->WriteHeader(TaskRequest(), ManifestOf(files));
  upload->WriteFiles(files, 50);
  ASSERT_THAT(upload->Finish(), Succeeds());
  EXPECT_EQ(upload->response().test_examples(), 4);
  EXPECT_EQ(upload->response().class_names_size(), 2);
  EXPECT_EQ(upload->response().files().train_path(), "learn");
  EXPECT_EQ(CountIn("staging"), 0);
}

TEST_F(UploadTest, JsonLinesBringTheirImages) {
  Start();
  v1::CreateTaskRequest request;
  request.set_task_id("pairs");
  request.mutable_task()->mutable_files()->set_format(v1::TASK_FORMAT_JSON_LINES);
  request.mutable_task()->mutable_files()->set_test_path("test/pairs.jsonl");
  std::vector<File> files = {
      {"test/pairs.jsonl", R"({"image": "photos/1.png", "candidates": ["a cat", "a dog"], "answer": "a dog"})"},
      {"test/photos/1.png", MakePng(8, 8, 0, 0, 0)}};
  const auto upload = NewTaskUpload();
  upload->WriteHeader(request, ManifestOf(files));
  upload->WriteFiles(files, 50);
  ASSERT_THAT(upload->Finish(), Succeeds());
  EXPECT_EQ(upload->response().test_examples(), 1);
  EXPECT_EQ(upload->response().class_names_size(), 2);
  files.pop_back();
  request.set_task_id("incomplete");
  const auto incomplete = NewTaskUpload();
  incomplete->WriteHeader(request, ManifestOf(files));
  incomplete->WriteFiles(files, 50);
  const grpc::Status status = incomplete->Finish();
  EXPECT_THAT(status, AnswersWith(StatusCode::NOT_FOUND, "FILE_NOT_FOUND"));
  EXPECT_THAT(status.error_message(), HasSubstr("test/pairs.jsonl: line 1: there is no image 'photos/1.png'"));
  EXPECT_EQ(FieldOf(status), "header.request.task.files.test_path");
  EXPECT_EQ(CountIn("staging"), 0);
}

TEST_F(UploadTest, AnInterruptedUploadGoesOnWhereItWas) {
  Start();
  const v1::UploadManifest manifest = ManifestOf(model_, "mine");
  const auto first = NewModelUpload();
  first->WriteHeader(ModelRequest(), manifest);
  first->Write(Chunk(0, 0, model_[0].content.substr(0, 10)));
  v1::Upload state;
  while (!GetUpload("mine", &state).ok() || state.received_bytes() < 10) {
  }
  EXPECT_FALSE(state.has_expire_time());
  const auto second = NewModelUpload();
  second->WriteHeader(ModelRequest(), manifest);
  EXPECT_THAT(second->Finish(), AnswersWith(StatusCode::ABORTED, "UPLOAD_IN_USE"));
  EXPECT_THAT(DeleteUpload("mine"), AnswersWith(StatusCode::ABORTED, "UPLOAD_IN_USE"));
  first->Cancel();
  while (GetUpload("mine", &state).ok() && !state.has_expire_time()) {
  }
  EXPECT_EQ(state.received_bytes(), 10);
  ASSERT_EQ(state.file_received_bytes_size(), static_cast<int>(model_.size()));
  EXPECT_EQ(state.file_received_bytes(0), 10);
  // To close early is to be interrupted too.
  const auto third = NewModelUpload();
  third->WriteHeader(ModelRequest(), manifest);
  third->Write(Chunk(0, 10, model_[0].content.substr(10, 1)));
  EXPECT_THAT(third->Finish(), AnswersWith(StatusCode::FAILED_PRECONDITION, "UPLOAD_INCOMPLETE"));
  const auto wrong = NewModelUpload();
  wrong->WriteHeader(ModelRequest(), ManifestOf({{"config.json", "{}"}}, "mine"));
  EXPECT_THAT(wrong->Finish(), AnswersWith(StatusCode::ALREADY_EXISTS, "UPLOAD_ID_REUSED"));
  const auto last = NewModelUpload();
  last->WriteHeader(ModelRequest(), manifest);
  last->Write(Chunk(0, 11, model_[0].content.substr(11)));
  for (size_t i = 1; i < model_.size(); ++i) last->Write(Chunk(static_cast<int>(i), 0, model_[i].content));
  EXPECT_THAT(last->Finish(), Succeeds());
  EXPECT_EQ(CountIn("staging"), 0);
  EXPECT_THAT(GetUpload("mine", &state), AnswersWith(StatusCode::NOT_FOUND, "UPLOAD_NOT_FOUND"));
}

TEST_F(UploadTest, AnInterruptedUploadIsForgottenInTime) {
  Start({"--upload-seconds", "1"});
  const auto upload = NewModelUpload();
  upload->WriteHeader(ModelRequest(), ManifestOf(model_, "mine"));
  v1::Upload state;
  while (!GetUpload("mine", &state).ok()) {
  }
  EXPECT_EQ(CountIn("staging"), 1);
  upload->Cancel();
  ExpectStagingEmptySoon();
  EXPECT_THAT(GetUpload("mine", &state), AnswersWith(StatusCode::NOT_FOUND, "UPLOAD_NOT_FOUND"));
}

TEST_F(UploadTest, ADeletedOrCancelledUploadLeavesNothing) {
  Start();
  const auto kept = NewModelUpload();
  kept->WriteHeader(ModelRequest(), ManifestOf(model_, "mine"));
  EXPECT_THAT(kept->Finish(), AnswersWith(StatusCode::FAILED_PRECONDITION, "UPLOAD_INCOMPLETE"));
  EXPECT_EQ(CountIn("staging"), 1);
  EXPECT_THAT(DeleteUpload("mine"), Succeeds());
  EXPECT_THAT(DeleteUpload("mine"), AnswersWith(StatusCode::NOT_FOUND, "UPLOAD_NOT_FOUND"));
  EXPECT_EQ(CountIn("staging"), 0);
  const auto nameless = NewModelUpload();
  nameless->WriteHeader(ModelRequest(), ManifestOf(model_));
  nameless->Write(Chunk(0, 0, model_[0].content));
  while (CountIn("staging") == 0) ExpectServerAlive();
  nameless->Cancel();
  ExpectStagingEmptySoon();
  EXPECT_EQ(CountIn("models"), 0);
}

TEST_F(UploadTest, MistakesAreRefusedAndLeaveNothing) {
  Start({"--max-upload-bytes", "10000000"});
  const std::vector<File> good = ImageFolder();
  const struct {
    const char* what;
    std::function<void(v1::CreateTaskRequest&, v1::UploadManifest&)> spoil;
    std::function<void(TaskUpload&)> write;
    StatusCode code;
    const char* reason;
    const char* field;
  } cases[] = {
      {"a way out",
       [](auto&, auto& m) { m.mutable_files(1)->set_path("../x"); },
       {},
       StatusCode::INVALID_ARGUMENT,
       "BAD_UPLOAD_PATH",
       "header.manifest.files[1].path"},
      {"an absolute path",
       [](auto&, auto& m) { m.mutable_files(1)->set_path("/tmp/x"); },
       {},
       StatusCode::INVALID_ARGUMENT,
       "BAD_UPLOAD_PATH",
       "header.manifest.files[1].path"},
      {"a path twice",
       [](auto&, auto& m) { m.mutable_files(1)->set_path(m.files(0).path()); },
       {},
       StatusCode::INVALID_ARGUMENT,
       "DUPLICATE_UPLOAD_PATH",
       "header.manifest.files[1].path"},
      {"no files",
       [](auto&, auto& m) { m.clear_files(); },
       {},
       StatusCode::INVALID_ARGUMENT,
       "NO_FILES",
       "header.manifest.files"},
      {"too many files",
       [](auto&, auto& m) {
         for (int i = 0; i < 100'000; ++i) m.add_files();
       },
       {},
       StatusCode::INVALID_ARGUMENT,
       "TOO_MANY_FILES",
       "header.manifest.files"},
      {"too large",
       [](auto&, auto& m) { m.mutable_files(0)->set_size_bytes(10'000'000); },
       {},
       StatusCode::RESOURCE_EXHAUSTED,
       "UPLOAD_TOO_LARGE",
       "header.manifest"},
      {"a bad id",
       [](auto& r, auto&) { r.set_task_id("../x"); },
       {},
       StatusCode::INVALID_ARGUMENT,
       "BAD_RESOURCE_ID",
       "header.request.task_id"},
      {"a generator",
       [](auto& r, auto&) { r.mutable_task()->mutable_generator(); },
       {},
       StatusCode::INVALID_ARGUMENT,
       "TASK_WITHOUT_FILES",
       "header.request.task.files"},
      {"another digest", [](auto&, auto& m) { m.mutable_files(2)->set_sha256(std::string(64, '0')); },
       [&](auto& u) { u.WriteFiles(good); }, StatusCode::INVALID_ARGUMENT, "WRONG_DIGEST",
       "header.manifest.files[2].sha256"},
      {"a wrong offset",
       {},
       [&](auto& u) { u.Write(Chunk(0, 1, "x")); },
       StatusCode::INVALID_ARGUMENT,
       "WRONG_OFFSET",
       "chunk.offset_bytes"},
      {"too many bytes",
       {},
       [&](auto& u) { u.Write(Chunk(0, 0, good[0].content + "x")); },
       StatusCode::INVALID_ARGUMENT,
       "FILE_TOO_LONG",
       "chunk.data"},
      {"no such file",
       {},
       [](auto& u) { u.Write(Chunk(99, 0, "x")); },
       StatusCode::INVALID_ARGUMENT,
       "BAD_FILE_INDEX",
       "chunk.file_index"},
      {"a second header",
       {},
       [&](auto& u) { u.WriteHeader(TaskRequest(), ManifestOf(good)); },
       StatusCode::INVALID_ARGUMENT,
       "HEADER_TWICE",
       "header"},
      {"a part",
       {},
       [&](auto& u) { u.Write(Chunk(0, 0, good[0].content)); },
       StatusCode::FAILED_PRECONDITION,
       "UPLOAD_INCOMPLETE",
       ""},
      {"a path that is not in it",
       [](auto& r, auto&) { r.mutable_task()->mutable_files()->set_train_path("elsewhere"); },
       [&](auto& u) { u.WriteFiles(good); }, StatusCode::NOT_FOUND, "FILE_NOT_FOUND",
       "header.request.task.files.train_path"},
      {"a path of the server", [](auto& r, auto&) { r.mutable_task()->mutable_files()->set_train_path("/etc"); },
       [&](auto& u) { u.WriteFiles(good); }, StatusCode::PERMISSION_DENIED, "PATH_OUTSIDE_ROOTS",
       "header.request.task.files.train_path"},
  };
  for (const auto& one : cases) {
    v1::CreateTaskRequest request = TaskRequest();
    // With an id and without: nothing may stay either way.
    for (const char* id : {"", "mine"}) {
      if (std::string(one.what) == "a part" && *id != '\0') continue;
      v1::UploadManifest manifest = ManifestOf(good, id);
      if (one.spoil) one.spoil(request, manifest);
      const auto upload = NewTaskUpload();
      upload->WriteHeader(request, manifest);
      if (one.write) one.write(*upload);
      const grpc::Status status = upload->Finish();
      EXPECT_THAT(status, AnswersWith(one.code, one.reason)) << one.what;
      if (one.code == StatusCode::INVALID_ARGUMENT) {
        EXPECT_EQ(FieldOf(status), one.field) << one.what;
      }
      EXPECT_THAT(status.error_message(), Not(HasSubstr(data_dir()))) << one.what;
      EXPECT_EQ(CountIn("staging"), 0) << one.what;
      EXPECT_EQ(CountIn("tasks"), 0) << one.what;
    }
  }
  const auto headless = NewTaskUpload();
  headless->Write(Chunk(0, 0, "x"));
  EXPECT_THAT(headless->Finish(), AnswersWith(StatusCode::INVALID_ARGUMENT, "NO_HEADER"));
  const auto empty = NewTaskUpload();
  EXPECT_THAT(empty->Finish(), AnswersWith(StatusCode::INVALID_ARGUMENT, "NO_HEADER"));
  const auto nothing = NewTaskUpload();
  nothing->WriteEmpty();
  EXPECT_THAT(nothing->Finish(), AnswersWith(StatusCode::INVALID_ARGUMENT, "NO_HEADER"));
  ExpectServerAlive();
}

TEST_F(UploadTest, AModelThatIsNoneIsRefusedInTheClientsWords) {
  Start();
  std::vector<File> broken = model_;
  for (File& file : broken) {
    if (file.path == "model.safetensors") file.content.resize(file.content.size() / 2);
  }
  const auto cut = NewModelUpload();
  cut->WriteHeader(ModelRequest(), ManifestOf(broken, "mine"));
  cut->WriteFiles(broken);
  const grpc::Status status = cut->Finish();
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(FieldOf(status), "header.manifest.files");
  EXPECT_THAT(status.error_message(), HasSubstr("'model.safetensors'"));
  EXPECT_THAT(status.error_message(), Not(HasSubstr(data_dir())));
  EXPECT_EQ(CountIn("staging"), 0);
  const auto partial = NewModelUpload();
  partial->WriteHeader(ModelRequest(), ManifestOf({{"config.json", "{}"}}));
  partial->WriteFiles({{"config.json", "{}"}});
  EXPECT_THAT(partial->Finish(), AnswersWith(StatusCode::INVALID_ARGUMENT, "MODEL_FILE_MISSING"));
  v1::ImportModelRequest with_path = ModelRequest();
  with_path.set_path("tiny");
  const auto named = NewModelUpload();
  named->WriteHeader(with_path, ManifestOf(model_));
  EXPECT_THAT(named->Finish(), AnswersWith(StatusCode::INVALID_ARGUMENT, "PATH_WITH_UPLOAD"));
  v1::ImportModelRequest unknown = ModelRequest();
  unknown.set_architecture("ViT-Z-1");
  const auto unnamed = NewModelUpload();
  unnamed->WriteHeader(unknown, ManifestOf(model_));
  EXPECT_THAT(unnamed->Finish(), AnswersWith(StatusCode::INVALID_ARGUMENT, "UNKNOWN_ARCHITECTURE"));
  EXPECT_EQ(CountIn("models"), 0);
  EXPECT_EQ(CountIn("staging"), 0);
}

TEST_F(UploadTest, AShutdownEndsAnUpload) {
  Start({"--drain-seconds", "600"});
  const auto upload = NewModelUpload();
  upload->WriteHeader(ModelRequest(), ManifestOf(model_, "mine"));
  v1::Upload state;
  while (!GetUpload("mine", &state).ok()) {
  }
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(), 0);
  EXPECT_THAT(upload->Finish(), AnswersWith(StatusCode::UNAVAILABLE, "SERVER_STOPPING"));
  Start();
  EXPECT_EQ(CountIn("staging"), 0);
}

class DownloadTest : public EndToEnd {
 protected:
  void SetUp() override {
    fs::create_directories(scratch_.Path("exports"));
    StartServer({"--export-root", scratch_.Path("exports")});
    if (HasFatalFailure()) return;
    ImportModelAndTasks();
  }
  int64_t StagedCount() const {
    return std::distance(fs::directory_iterator(data_dir() + "/staging"), fs::directory_iterator());
  }
};

TEST_F(DownloadTest, ADownloadIsAnExportByteForByte) {
  for (const v1::ExportLayout layout : {v1::EXPORT_LAYOUT_HUGGING_FACE, v1::EXPORT_LAYOUT_OPEN_CLIP}) {
    const std::string name = layout == v1::EXPORT_LAYOUT_OPEN_CLIP ? "open-clip" : "hf";
    {
      grpc::ClientContext context;
      v1::ExportModelRequest request;
      request.mutable_mixture()->set_model("models/tiny");
      request.set_path(name);
      request.set_layout(layout);
      v1::ExportModelResponse response;
      ASSERT_THAT(stubs_->models->ExportModel(&context, request, &response), Succeeds());
    }
    grpc::ClientContext context;
    v1::DownloadModelRequest request;
    request.mutable_mixture()->set_model("models/tiny");
    request.set_layout(layout);
    const auto reader = stubs_->models->DownloadModel(&context, request);
    v1::DownloadModelResponse message;
    ASSERT_TRUE(reader->Read(&message));
    ASSERT_TRUE(message.has_start());
    EXPECT_EQ(message.start().mixture().model(), "models/tiny");
    const v1::DownloadStart start = message.start();
    int files = 0;
    int64_t bytes = 0;
    v1::DownloadFile file;
    std::string content;
    while (reader->Read(&message)) {
      if (message.has_file()) {
        file = message.file();
        content.clear();
      }
      content += message.data();
      if (!message.has_file_end()) continue;
      ++files;
      bytes += static_cast<int64_t>(content.size());
      EXPECT_EQ(static_cast<int64_t>(content.size()), file.size_bytes());
      EXPECT_EQ(message.file_end().sha256(), base::Sha256Hex(content));
      EXPECT_EQ(content, ReadAll(scratch_.Path("exports/" + name + "/" + file.path()))) << file.path();
    }
    EXPECT_THAT(reader->Finish(), Succeeds());
    EXPECT_EQ(files, start.file_count());
    EXPECT_EQ(bytes, start.size_bytes());
    EXPECT_EQ(files, std::distance(fs::directory_iterator(scratch_.Path("exports/" + name)), fs::directory_iterator()));
    EXPECT_EQ(StagedCount(), 0);
  }
}

TEST_F(DownloadTest, AClientThatGoesLeavesNothing) {
  grpc::ClientContext context;
  v1::DownloadModelRequest request;
  request.mutable_mixture()->set_model("models/tiny");
  const auto reader = stubs_->models->DownloadModel(&context, request);
  v1::DownloadModelResponse message;
  ASSERT_TRUE(reader->Read(&message));
  context.TryCancel();
  reader->Finish();
  for (int i = 0; i < 100'000 && StagedCount() > 0; ++i) ExpectServerAlive();
  EXPECT_EQ(StagedCount(), 0);
}

TEST_F(DownloadTest, MistakesLeaveNothing) {
  const auto download = [&](const v1::DownloadModelRequest& request) {
    grpc::ClientContext context;
    const auto reader = stubs_->models->DownloadModel(&context, request);
    v1::DownloadModelResponse message;
    EXPECT_FALSE(reader->Read(&message));
    return reader->Finish();
  };
  v1::DownloadModelRequest request;
  EXPECT_THAT(download(request), AnswersWith(StatusCode::INVALID_ARGUMENT, "MIXTURE_WITHOUT_MODEL"));
  request.mutable_mixture()->set_model("models/none");
  EXPECT_THAT(download(request), AnswersWith(StatusCode::NOT_FOUND, "MODEL_NOT_FOUND"));
  request.mutable_mixture()->set_model("models/tiny");
  request.set_layout(static_cast<v1::ExportLayout>(9));
  EXPECT_THAT(download(request), AnswersWith(StatusCode::INVALID_ARGUMENT, "BAD_LAYOUT"));
  EXPECT_EQ(StagedCount(), 0);
}

}  // namespace
}  // namespace modelpatch::testing
