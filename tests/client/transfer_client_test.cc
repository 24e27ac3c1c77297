#include "client/transfer_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "client/classify_stream.h"
#include "client/file_digest.h"
#include "client/status_details.h"
#include "tests/client/fake_server.h"
#include "tests/support/test_data.h"

namespace modelpatch::client {
namespace {

namespace fs = std::filesystem;
using ::modelpatch::testing::DetailedError;
using ::modelpatch::testing::FakeServer;
using ::modelpatch::testing::WriteTestFile;
using ::testing::ElementsAre;

class TransferClientTest : public ::testing::Test {
 protected:
  ClientOptions Options() {
    ClientOptions options;
    options.retry.sleep = [this](std::chrono::milliseconds time) { waits_.push_back(time.count()); };
    options.watch_maximum_attempts = 3;
    return options;
  }
  // Of the paths in the upload.
  static std::vector<std::string> PathsOf(const std::vector<LocalFile>& files) {
    std::vector<std::string> paths;
    for (const LocalFile& file : files) paths.push_back(file.path);
    return paths;
  }
  std::vector<LocalFile> TwoFiles() const {
    WriteTestFile(scratch_.Path("m/config.json"), "{}");
    WriteTestFile(scratch_.Path("m/model.safetensors"), std::string(3 << 20, 'w'));
    return *FindModelFiles(scratch_.Path("m"));
  }

  const testing::ScratchDirectory scratch_;
  FakeServer server_;
  std::vector<int64_t> waits_;
  TransferClient client_{MakeChannel(server_.address()), Options()};
};

TEST_F(TransferClientTest, SendsAManifestAndTheFiles) {
  std::vector<std::string> received(2);
  server_.upload_model = [&](grpc::ServerReader<v1::UploadModelRequest>& reader, v1::Model& model) {
    v1::UploadModelRequest request;
    EXPECT_TRUE(reader.Read(&request));
    EXPECT_EQ(request.header().manifest().files_size(), 2);
    EXPECT_EQ(request.header().manifest().files(1).size_bytes(), 3 << 20);
    EXPECT_EQ(request.header().manifest().files(1).sha256(), DigestFile(scratch_.Path("m/model.safetensors"))->sha256);
    EXPECT_NE(request.header().manifest().upload_id(), "");
    EXPECT_NE(request.header().request().request_id(), "");
    while (reader.Read(&request)) {
      std::string& file = received[static_cast<size_t>(request.chunk().file_index())];
      EXPECT_EQ(request.chunk().offset_bytes(), static_cast<int64_t>(file.size()));
      file += request.chunk().data();
    }
    model.set_name("models/m");
    return grpc::Status::OK;
  };
  std::vector<int64_t> progress;
  const auto model = client_.UploadModel({}, TwoFiles(), [&](int64_t done, int64_t) { progress.push_back(done); });
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->name(), "models/m");
  EXPECT_THAT(received, ElementsAre("{}", std::string(3 << 20, 'w')));
  EXPECT_EQ(progress.back(), (3 << 20) + 2);
}

TEST_F(TransferClientTest, GoesOnWhereTheServerIs) {
  std::vector<std::string> ids;
  std::vector<int64_t> offsets;
  server_.upload_model = [&](grpc::ServerReader<v1::UploadModelRequest>& reader, v1::Model&) {
    v1::UploadModelRequest request;
    EXPECT_TRUE(reader.Read(&request));
    ids.push_back(request.header().manifest().upload_id() + request.header().request().request_id());
    while (reader.Read(&request)) offsets.push_back(request.chunk().offset_bytes());
    if (ids.size() == 1) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut off");
    // The server has not yet seen that the first connection is gone.
    if (ids.size() == 2) return DetailedError(grpc::StatusCode::ABORTED, "in use", "UPLOAD_IN_USE", "");
    return grpc::Status::OK;
  };
  server_.get_upload = [&](const v1::GetUploadRequest&, v1::Upload& upload) {
    upload.add_file_received_bytes(2);
    upload.add_file_received_bytes(2 << 20);
    return grpc::Status::OK;
  };
  const auto model = client_.UploadModel({}, TwoFiles());
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ(ids.size(), 3u);
  EXPECT_EQ(ids[0], ids[1]);
  EXPECT_EQ(ids[0], ids[2]);
  EXPECT_THAT(offsets, ElementsAre(0, 0, 1 << 20, 2 << 20, 2 << 20, 2 << 20));
}

TEST_F(TransferClientTest, GivesUpWhenNothingGetsOn) {
  int calls = 0;
  server_.upload_model = [&](grpc::ServerReader<v1::UploadModelRequest>&, v1::Model&) {
    ++calls;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut off");
  };
  server_.get_upload = [&](const v1::GetUploadRequest&, v1::Upload&) {
    return DetailedError(grpc::StatusCode::NOT_FOUND, "none", "UPLOAD_NOT_FOUND", "");
  };
  EXPECT_TRUE(absl::IsUnavailable(client_.UploadModel({}, TwoFiles()).status()));
  EXPECT_EQ(calls, 3);
}

TEST_F(TransferClientTest, ARefusalIsNotRepeated) {
  int calls = 0;
  server_.upload_model = [&](grpc::ServerReader<v1::UploadModelRequest>&, v1::Model&) {
    ++calls;
    return DetailedError(grpc::StatusCode::INVALID_ARGUMENT, "no", "WRONG_DIGEST", "header.manifest");
  };
  EXPECT_EQ(ReasonOf(client_.UploadModel({}, TwoFiles()).status()), "WRONG_DIGEST");
  EXPECT_EQ(calls, 1);
}

TEST_F(TransferClientTest, FindsTheFilesOfAModel) {
  for (const char* name : {"config.json", "merges.txt", "model.safetensors", "pytorch_model.bin", "tf_model.h5",
                           ".hidden.json", "inner/config.json"}) {
    WriteTestFile(scratch_.Path(std::string("hf/") + name), "x");
  }
  EXPECT_THAT(PathsOf(*FindModelFiles(scratch_.Path("hf"))),
              ElementsAre("config.json", "merges.txt", "model.safetensors"));
  WriteTestFile(scratch_.Path("pickle/pytorch_model.bin"), "x");
  EXPECT_THAT(PathsOf(*FindModelFiles(scratch_.Path("pickle"))), ElementsAre("pytorch_model.bin"));
  EXPECT_FALSE(FindModelFiles(scratch_.Path("none")).ok());
  fs::create_directory(scratch_.Path("empty"));
  EXPECT_FALSE(FindModelFiles(scratch_.Path("empty")).ok());
}

TEST_F(TransferClientTest, FindsTheFilesOfATask) {
  for (const char* name : {"mnist/train-images-idx3-ubyte.gz", "mnist/train-labels-idx1-ubyte", "mnist/other.txt",
                           "photos/red/1.png", "photos/red/.cache/x", "names.txt"}) {
    WriteTestFile(scratch_.Path(name), "x");
  }
  v1::TaskFiles idx;
  idx.set_format(v1::TASK_FORMAT_IDX);
  idx.set_train_path(scratch_.Path("mnist/train-images-idx3-ubyte.gz"));
  idx.set_test_path(scratch_.Path("mnist"));
  idx.set_class_names_path(scratch_.Path("names.txt"));
  EXPECT_THAT(PathsOf(*FindTaskFiles(idx)),
              ElementsAre("train/train-images-idx3-ubyte.gz", "train/train-labels-idx1-ubyte",
                          "test/train-images-idx3-ubyte.gz", "test/train-labels-idx1-ubyte", "classes/names.txt"));
  EXPECT_EQ(idx.train_path(), "train/train-images-idx3-ubyte.gz");
  EXPECT_EQ(idx.test_path(), "test");
  EXPECT_EQ(idx.class_names_path(), "classes/names.txt");
  v1::TaskFiles folder;
  folder.set_format(v1::TASK_FORMAT_IMAGE_FOLDER);
  folder.set_train_path(scratch_.Path("photos"));
  folder.set_test_path(scratch_.Path("photos"));
  EXPECT_THAT(PathsOf(*FindTaskFiles(folder)), ElementsAre("train/red/1.png"));
  EXPECT_EQ(folder.test_path(), "train");
  folder.set_train_path(scratch_.Path("none"));
  EXPECT_FALSE(FindTaskFiles(folder).ok());
}

TEST_F(TransferClientTest, FindsTheImagesThatJsonLinesName) {
  WriteTestFile(scratch_.Path("vqa/train.jsonl"), R"({"image": "cats/1.png", "candidates": ["a", "b"], "answer": 0})"
                                                  "\n\nnonsense\n"
                                                  R"({"image": "./cats//1.png"})"
                                                  "\n"
                                                  R"({"image": "../outside.png"})"
                                                  "\n"
                                                  R"({"image": "/etc/hostname"})"
                                                  "\n"
                                                  R"({"image": "dog.png"})");
  for (const char* name : {"vqa/cats/1.png", "vqa/dog.png", "vqa/other.png", "outside.png"}) {
    WriteTestFile(scratch_.Path(name), "x");
  }
  v1::TaskFiles lines;
  lines.set_format(v1::TASK_FORMAT_JSON_LINES);
  lines.set_train_path(scratch_.Path("vqa/train.jsonl"));
  lines.set_test_path(scratch_.Path("vqa/train.jsonl"));
  EXPECT_THAT(PathsOf(*FindTaskFiles(lines)), ElementsAre("train/train.jsonl", "train/cats/1.png", "train/dog.png"));
  EXPECT_EQ(lines.train_path(), "train/train.jsonl");
  EXPECT_EQ(lines.test_path(), "train/train.jsonl");
  WriteTestFile(scratch_.Path("vqa/test.jsonl"), R"({"image": "none.png"})");
  lines.set_test_path(scratch_.Path("vqa/test.jsonl"));
  lines.set_train_path("");
  const auto missing = FindTaskFiles(lines);
  EXPECT_THAT(std::string(missing.status().message()), ::testing::HasSubstr("test.jsonl: line 1"));
  lines.set_test_path(scratch_.Path("vqa"));
  EXPECT_FALSE(FindTaskFiles(lines).ok());
}

// What a server sends of one file.
std::vector<v1::DownloadModelResponse> OneFile(const std::string& path, const std::string& sent,
                                               const std::string& digested) {
  std::vector<v1::DownloadModelResponse> messages(4);
  messages[0].mutable_start()->set_file_count(1);
  messages[0].mutable_start()->set_size_bytes(static_cast<int64_t>(sent.size()));
  messages[1].mutable_file()->set_path(path);
  messages[1].mutable_file()->set_size_bytes(static_cast<int64_t>(sent.size()));
  messages[2].set_data(sent);
  FileDigest digest;
  digest.Update(digested);
  messages[3].mutable_file_end()->set_sha256(digest.Finish());
  return messages;
}

TEST_F(TransferClientTest, ADownloadIsThereAsAWholeOrNotAtAll) {
  // A client that has seen enough goes on while the server still writes, so each call has messages of its own.
  struct Download {
    std::mutex mutex;
    std::vector<v1::DownloadModelResponse> messages;
  };
  const auto download = std::make_shared<Download>();
  server_.download_model = [download](const v1::DownloadModelRequest&,
                                      grpc::ServerWriter<v1::DownloadModelResponse>& writer) {
    std::vector<v1::DownloadModelResponse> messages;
    {
      const std::lock_guard<std::mutex> lock(download->mutex);
      messages = download->messages;
    }
    for (const auto& message : messages) writer.Write(message);
    return grpc::Status::OK;
  };
  const auto serve = [&](std::vector<v1::DownloadModelResponse> messages) {
    const std::lock_guard<std::mutex> lock(download->mutex);
    download->messages = std::move(messages);
  };
  const std::string target = scratch_.Path("out");
  for (const auto& bad : {OneFile("../x", "abc", "abc"), OneFile("a/b", "abc", "abc"), OneFile("x", "abc", "abd"),
                          std::vector<v1::DownloadModelResponse>()}) {
    serve(bad);
    EXPECT_TRUE(absl::IsDataLoss(client_.DownloadModel({}, target).status()));
    EXPECT_TRUE(fs::is_empty(scratch_.path()));
  }
  std::vector<v1::DownloadModelResponse> cut_short = OneFile("x", "abc", "abc");
  cut_short.pop_back();
  serve(cut_short);
  EXPECT_TRUE(absl::IsDataLoss(client_.DownloadModel({}, target).status()));
  EXPECT_TRUE(fs::is_empty(scratch_.path()));
  serve(OneFile("x", "abc", "abc"));
  ASSERT_TRUE(client_.DownloadModel({}, target).ok());
  std::ifstream file(target + "/x");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "abc");
  EXPECT_TRUE(absl::IsAlreadyExists(client_.DownloadModel({}, target).status()));
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch_.path()), fs::directory_iterator()), 1);
}

TEST_F(TransferClientTest, AStreamThatLosesAResultIsNoSuccess) {
  server_.stream_classify = [](auto& stream) {
    v1::StreamClassifyRequest request;
    v1::StreamClassifyResponse response;
    for (int images = 0; stream.Read(&request);) {
      if (request.has_header() || ++images == 2) continue;
      response.mutable_result()->set_id(request.images().images(0).id());
      stream.Write(response);
    }
    return grpc::Status::OK;
  };
  for (const int count : {1, 3}) {
    int next = 0;
    std::vector<std::string> ids;
    const absl::Status status = StreamClassify(
        MakeChannel(server_.address()), {},
        [&]() -> absl::StatusOr<std::optional<v1::StreamClassifyImage>> {
          if (next == count) return std::nullopt;
          v1::StreamClassifyImage image;
          image.set_id(std::to_string(next++));
          return image;
        },
        [](const auto&) {}, [&](const v1::StreamClassifyResult& result) { ids.push_back(result.id()); });
    EXPECT_EQ(status.ok(), count == 1);
    EXPECT_EQ(absl::IsDataLoss(status), count == 3);
    EXPECT_EQ(ids.front(), "0");
  }
}

}  // namespace
}  // namespace modelpatch::client
