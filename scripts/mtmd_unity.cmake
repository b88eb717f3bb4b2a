# llama.cpp's part that sees, mtmd, has a small file for each kind of model, all of which read the same headers: compiled
# together they take a fifth of the time. Its own code only prepares what ggml computes: -O1 is as good, and halves the
# rest. CMake includes this file where llama.cpp's project begins.
set(MTMD_ALONE clip.cpp mtmd.cpp mtmd-audio.cpp mtmd-image.cpp mtmd-helper.cpp mtmd-helper-gen.cpp)
list(TRANSFORM MTMD_ALONE PREPEND "${CMAKE_SOURCE_DIR}/tools/mtmd/")

cmake_language(DEFER DIRECTORY "${CMAKE_SOURCE_DIR}" CALL
    set_target_properties mtmd PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0 COMPILE_OPTIONS -O1)
cmake_language(DEFER DIRECTORY "${CMAKE_SOURCE_DIR}" CALL
    set_source_files_properties ${MTMD_ALONE} DIRECTORY "${CMAKE_SOURCE_DIR}/tools/mtmd"
    PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
