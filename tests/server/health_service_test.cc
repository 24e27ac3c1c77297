#include "server/services/health_service.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace modelpatch::server {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

class HealthServiceTest : public ::testing::Test {
 protected:
  HealthServiceTest() {
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = grpc::health::v1::Health::NewStub(server_->InProcessChannel({}));
  }
  ~HealthServiceTest() override { server_->Shutdown(std::chrono::system_clock::now()); }

  HealthCheckResponse::ServingStatus Check(const std::string& name) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    request.set_service(name);
    HealthCheckResponse response;
    const grpc::Status status = stub_->Check(&context, request, &response);
    if (status.error_code() == grpc::StatusCode::NOT_FOUND) return HealthCheckResponse::SERVICE_UNKNOWN;
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.status();
  }

  // A watch and its next status.
  struct Watch {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader;

    ~Watch() { context.TryCancel(); }
    HealthCheckResponse::ServingStatus Next() {
      HealthCheckResponse response;
      return reader->Read(&response) ? response.status() : HealthCheckResponse::UNKNOWN;
    }
  };
  std::unique_ptr<Watch> StartWatch(const std::string& name) {
    auto watch = std::make_unique<Watch>();
    HealthCheckRequest request;
    request.set_service(name);
    watch->reader = stub_->Watch(&watch->context, request);
    return watch;
  }

  HealthService service_{/*maximum_watches=*/3};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<grpc::health::v1::Health::Stub> stub_;
};

TEST_F(HealthServiceTest, KnowsWhatIsServed) {
  EXPECT_EQ(Check(""), HealthCheckResponse::SERVICE_UNKNOWN);
  service_.SetServing("");
  service_.SetServing("models/a");
  EXPECT_EQ(Check(""), HealthCheckResponse::SERVING);
  EXPECT_EQ(Check("models/a"), HealthCheckResponse::SERVING);
  EXPECT_EQ(Check("models/b"), HealthCheckResponse::SERVICE_UNKNOWN);
  service_.Remove("models/a");
  EXPECT_EQ(Check("models/a"), HealthCheckResponse::SERVICE_UNKNOWN);
}

TEST_F(HealthServiceTest, WatchersAreToldOfEveryChange) {
  const auto watch = StartWatch("models/a");
  EXPECT_EQ(watch->Next(), HealthCheckResponse::SERVICE_UNKNOWN);
  service_.SetServing("models/b");
  service_.SetServing("models/a");
  EXPECT_EQ(watch->Next(), HealthCheckResponse::SERVING);
  service_.Remove("models/a");
  EXPECT_EQ(watch->Next(), HealthCheckResponse::SERVICE_UNKNOWN);
}

TEST_F(HealthServiceTest, AWatcherThatDoesNotReadHearsTheLatest) {
  const auto watch = StartWatch("models/a");
  EXPECT_EQ(watch->Next(), HealthCheckResponse::SERVICE_UNKNOWN);
  constexpr int kChanges = 10'000;
  for (int i = 0; i < kChanges; ++i) {
    service_.SetServing("models/a");
    service_.Remove("models/a");
  }
  service_.SetServing("models/a");
  service_.Stop();
  int read = 0;
  while (watch->Next() != HealthCheckResponse::NOT_SERVING) ++read;
  EXPECT_LE(read, 2 * kChanges + 1);
}

TEST_F(HealthServiceTest, StoppingSaysSoToAll) {
  service_.SetServing("");
  const auto watch = StartWatch("");
  EXPECT_EQ(watch->Next(), HealthCheckResponse::SERVING);
  service_.Stop();
  EXPECT_EQ(watch->Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Check(""), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthServiceTest, OneWatchTooManyIsRefused) {
  std::vector<std::unique_ptr<Watch>> watches;
  for (int i = 0; i < 3; ++i) {
    watches.push_back(StartWatch("x"));
    EXPECT_EQ(watches.back()->Next(), HealthCheckResponse::SERVICE_UNKNOWN);
  }
  const auto refused = StartWatch("x");
  EXPECT_EQ(refused->Next(), HealthCheckResponse::UNKNOWN);
  EXPECT_EQ(refused->reader->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace modelpatch::server
