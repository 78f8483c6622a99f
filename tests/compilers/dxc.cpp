// Compiles every HLSL translation with DXC, as wgpu does on Windows.
//   compile FOLDER     as `write_shaders` of tests/compilers.rs has filled it
#include "WinAdapter.h"
#include "dxcapi.h"

#include <cstdio>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

static std::string read(const std::string &path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

static std::wstring wide(const std::string &text) { return std::wstring(text.begin(), text.end()); }

// The compiler's complaint; empty if there is none.
static std::string compile(IDxcCompiler3 *compiler, const std::string &text, const std::string &entry, bool f16) {
  std::wstring name = wide(entry);
  // 16-bit floats require 6.2.
  std::vector<LPCWSTR> arguments = {L"-E", name.c_str(), L"-T", f16 ? L"cs_6_2" : L"cs_6_0", L"-HV", L"2018", L"-no-warnings"};
  if (f16) arguments.push_back(L"-enable-16bit-types");
  DxcBuffer buffer{text.data(), text.size(), DXC_CP_UTF8};
  IDxcResult *result = nullptr;
  if (compiler->Compile(&buffer, arguments.data(), arguments.size(), nullptr, IID_PPV_ARGS(&result))) return "no result";
  HRESULT status;
  if (!result->GetStatus(&status) && !status) return "";
  IDxcBlobUtf8 *errors = nullptr;
  result->GetOutput(DXC_OUT_ERRORS, IID_PPV_ARGS(&errors), nullptr);
  return errors && errors->GetStringLength() ? errors->GetStringPointer() : "no message";
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fputs("usage: compile FOLDER\n", stderr);
    return 2;
  }
  std::string folder = argv[1];
  IDxcCompiler3 *compiler = nullptr;
  if (DxcCreateInstance(CLSID_DxcCompiler, IID_PPV_ARGS(&compiler))) {
    puts("DXC cannot be started");
    return 1;
  }
  // serde_json sorts the keys of an object, and no text in this file has quotes.
  std::string index = read(folder + "/index.json");
  std::regex object("\"f16\":(true|false),\"file\":\"([^\"]*)\",\"hlsl_entry\":\"([^\"]*)\"");
  int passed = 0, refused = 0;
  for (std::sregex_iterator found(index.begin(), index.end(), object), end; found != end; ++found) {
    std::string file = folder + "/" + (*found)[2].str() + ".hlsl";
    std::string complaint = compile(compiler, read(file), (*found)[3], (*found)[1] == "true");
    if (complaint.empty()) {
      passed++;
    } else if (refused++ < 10) {
      printf("%s\n%s\n", read(file).substr(0, 200).c_str(), complaint.substr(0, 600).c_str());
    }
  }
  printf("%d shaders compiled, %d refused\n", passed, refused);
  return refused || passed < 100;
}
