// RequestMaker: the requests of a load run, each a function of its number, as bytes that are ready to be sent.
//
// What requests have in common (images, class names) is encoded once and shared: a request is put together from parts,
// which for protobuf is writing them one behind the other. Thread-safe: const after construction.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <string>
#include <vector>

namespace modelpatch::client {

enum class LoadProtocol { kModelpatch, kOpenInference };

struct LoadRequestOptions {
  LoadProtocol protocol = LoadProtocol::kModelpatch;
  // Ids or resource names. The checkpoint may be empty: the model alone is asked.
  std::string model;
  std::string checkpoint;
  // Not empty. Request n takes one of them: in turn, or at random.
  std::vector<double> alphas = {1};
  bool random_alphas = false;
  bool allow_extrapolation = false;
  uint64_t seed = 0;
  // Not empty, unless images are only to be encoded.
  std::vector<std::string> class_names;
  std::vector<std::string> templates;
  // Whether each request has class names of its own: those above with the request's number behind.
  bool fresh_class_names = false;
  int32_t top_k = 0;
  // Encoded images, not empty; requests take them in turn.
  std::vector<std::string> images;
  int images_per_request = 1;
};

class RequestMaker {
 public:
  explicit RequestMaker(LoadRequestOptions options);

  // The gRPC method that is called: "/package.Service/Method".
  const std::string& method() const { return method_; }
  double AlphaOf(uint64_t number) const;
  grpc::ByteBuffer Make(uint64_t number) const;

 private:
  // The parts: names, α and top_k; class names and templates; images.
  std::string Head(double alpha) const;
  std::string Classes(const std::vector<std::string>& class_names) const;
  std::string Images(const std::vector<size_t>& indices) const;
  std::vector<size_t> ImagesOf(uint64_t number) const;

  const LoadRequestOptions options_;
  const std::string method_;
  // One for each α; the classes, unless they are fresh; one for each image, if each request has a single one.
  std::vector<grpc::Slice> heads_;
  grpc::Slice classes_;
  std::vector<grpc::Slice> images_;
};

}  // namespace modelpatch::client
