# Programs compiled ahead of time, in a build of anybody's.
#
#   tsgu_add_program(<target> <file.mlir> [TYPES f64,i32] [DERIVE vjp0 ...]
#                    [WIDTHS B.1=32 ...] [CPU x86-64-v3])
#
# compiles the program, and those derived from it, when the target is built, and
# links them into it with libtsgu. The target's sources include "<file>.h", which
# declares <file>, <file>_vjp0, ... for tsgu_program_from_object. Options are
# those of tsgu-compile; without CPU the kernels are for the building machine.
function(tsgu_add_program target program)
  cmake_parse_arguments(PARSE_ARGV 2 ARG "" "TYPES;CPU" "DERIVE;WIDTHS")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tsgu_add_program: unexpected ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT TARGET tsgu::tsgu-compile)
    message(FATAL_ERROR "tsgu_add_program: this tsgu has no compiler: build it "
                        "with TSGU_BUILD_COMPILER=ON")
  endif()
  get_filename_component(program ${program} ABSOLUTE)
  get_filename_component(name ${program} NAME_WE)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${target}-programs)
  file(MAKE_DIRECTORY ${folder})
  set(options)
  foreach(option TYPES CPU)
    if(ARG_${option})
      string(TOLOWER ${option} flag)
      list(APPEND options --${flag} ${ARG_${option}})
    endif()
  endforeach()
  foreach(width ${ARG_WIDTHS})
    list(APPEND options --width ${width})
  endforeach()
  set(objects ${folder}/${name}.o)
  foreach(derivation ${ARG_DERIVE})
    list(APPEND options --derive ${derivation})
    string(REPLACE / _ suffix ${derivation})
    list(APPEND objects ${folder}/${name}_${suffix}.o)
  endforeach()
  add_custom_command(
    OUTPUT ${objects} ${folder}/${name}.h
    COMMAND tsgu::tsgu-compile ${program} -o ${folder}/${name}.o ${options}
    DEPENDS ${program} tsgu::tsgu-compile $<TARGET_NAME_IF_EXISTS:tsgu-compiler>
    COMMENT "Compiling ${name}.mlir"
    VERBATIM)
  set_source_files_properties(${objects} PROPERTIES EXTERNAL_OBJECT TRUE
                                                    GENERATED TRUE)
  target_sources(${target} PRIVATE ${objects} ${folder}/${name}.h)
  target_include_directories(${target} PRIVATE ${folder})
  target_link_libraries(${target} PRIVATE tsgu::tsgu)
endfunction()
