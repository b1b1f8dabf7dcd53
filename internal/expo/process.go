package expo

import (
	"io"

	"github.com/VictoriaMetrics/metrics"
)

// WriteProcess writes the metrics of the Go runtime and of the process. They belong to the process, so two nodes in one
// process show the same.
func WriteProcess(w io.Writer) {
	processTable().Write(w, metrics.WriteProcessMetrics, metrics.WriteFDMetrics)
}

// processTable describes what the metrics library writes on Linux.
func processTable() Table {
	return Table{
		{"go_cgo_calls_count", TypeGauge, "Calls from Go to C since the start."},
		{"go_cpu_count", TypeGauge, "Logical processors that the process may use."},
		{"go_gc_cpu_seconds_total", TypeCounter, "CPU time spent in garbage collection."},
		{"go_gc_duration_seconds", TypeSummary, "Pauses of garbage collection."},
		{"go_gc_forced_count", TypeGauge, "Garbage collections that the program asked for."},
		{"go_gc_mark_assist_cpu_seconds_total", TypeCounter, "CPU time that allocating goroutines spent helping the garbage collector."},
		{"go_gc_pauses_seconds", TypeHistogram, "Pauses of garbage collection, by length."},
		{"go_gomaxprocs", TypeGauge, "Threads that may run Go code at once."},
		{"go_goroutines", TypeGauge, "Goroutines that exist."},
		{"go_info", TypeGauge, "Version of Go that built the program."},
		{"go_info_ext", TypeGauge, "Compiler, architecture, system and root of the build."},
		{"go_memlimit_bytes", TypeGauge, "Soft memory limit of the Go runtime."},
		{"go_memstats_alloc_bytes", TypeGauge, "Bytes of heap objects in use."},
		{"go_memstats_alloc_bytes_total", TypeCounter, "Bytes of heap objects ever allocated."},
		{"go_memstats_buck_hash_sys_bytes", TypeGauge, "Bytes of profiling tables."},
		{"go_memstats_frees_total", TypeCounter, "Heap objects ever freed."},
		{"go_memstats_gc_cpu_fraction", TypeGauge, "Share of CPU time spent in garbage collection since the start."},
		{"go_memstats_gc_sys_bytes", TypeGauge, "Bytes of the garbage collector's own data."},
		{"go_memstats_heap_alloc_bytes", TypeGauge, "Bytes of heap objects in use."},
		{"go_memstats_heap_idle_bytes", TypeGauge, "Bytes of heap spans that hold nothing."},
		{"go_memstats_heap_inuse_bytes", TypeGauge, "Bytes of heap spans that hold something."},
		{"go_memstats_heap_objects", TypeGauge, "Heap objects in use."},
		{"go_memstats_heap_released_bytes", TypeGauge, "Bytes of heap given back to the system."},
		{"go_memstats_heap_sys_bytes", TypeGauge, "Bytes of heap taken from the system."},
		{"go_memstats_last_gc_time_seconds", TypeGauge, "When the last garbage collection ended, in seconds since 1970."},
		{"go_memstats_lookups_total", TypeCounter, "Pointer lookups of the runtime."},
		{"go_memstats_mallocs_total", TypeCounter, "Heap objects ever allocated."},
		{"go_memstats_mcache_inuse_bytes", TypeGauge, "Bytes of per-processor allocation caches in use."},
		{"go_memstats_mcache_sys_bytes", TypeGauge, "Bytes of per-processor allocation caches taken from the system."},
		{"go_memstats_mspan_inuse_bytes", TypeGauge, "Bytes of span descriptions in use."},
		{"go_memstats_mspan_sys_bytes", TypeGauge, "Bytes of span descriptions taken from the system."},
		{"go_memstats_next_gc_bytes", TypeGauge, "Heap size at which the next garbage collection starts."},
		{"go_memstats_other_sys_bytes", TypeGauge, "Bytes that the runtime took from the system for other ends."},
		{"go_memstats_stack_inuse_bytes", TypeGauge, "Bytes of goroutine stacks in use."},
		{"go_memstats_stack_sys_bytes", TypeGauge, "Bytes of goroutine stacks taken from the system."},
		{"go_memstats_sys_bytes", TypeGauge, "Bytes that the runtime took from the system."},
		{"go_mutex_wait_seconds_total", TypeCounter, "Time that goroutines waited for mutexes, summed."},
		{"go_sched_latencies_seconds", TypeHistogram, "Time that ready goroutines waited for a thread."},
		{"go_scavenge_cpu_seconds_total", TypeCounter, "CPU time spent giving memory back to the system."},
		{"go_threads", TypeGauge, "Threads of the system that the runtime created."},
		{"process_cpu_seconds_system_total", TypeCounter, "CPU time of the process inside the system's kernel."},
		{"process_cpu_seconds_total", TypeCounter, "CPU time of the process."},
		{"process_cpu_seconds_user_total", TypeCounter, "CPU time of the process outside the kernel."},
		{"process_io_read_bytes_total", TypeCounter, "Bytes read by system calls, from files and connections."},
		{"process_io_read_syscalls_total", TypeCounter, "System calls that read."},
		{"process_io_storage_read_bytes_total", TypeCounter, "Bytes read from storage."},
		{"process_io_storage_written_bytes_total", TypeCounter, "Bytes written to storage."},
		{"process_io_write_syscalls_total", TypeCounter, "System calls that write."},
		{"process_io_written_bytes_total", TypeCounter, "Bytes written by system calls, to files and connections."},
		{"process_major_pagefaults_total", TypeCounter, "Page faults that had to read from storage."},
		{"process_max_fds", TypeGauge, "File descriptors that the process may have open."},
		{"process_minor_pagefaults_total", TypeCounter, "Page faults that were served from memory."},
		{"process_num_threads", TypeGauge, "Threads of the process."},
		{"process_open_fds", TypeGauge, "File descriptors that are open."},
		{"process_pressure_cpu_stalled_seconds_total", TypeCounter, "Time in which all processes of the control group waited for a processor."},
		{"process_pressure_cpu_waiting_seconds_total", TypeCounter, "Time in which some process of the control group waited for a processor."},
		{"process_pressure_io_stalled_seconds_total", TypeCounter, "Time in which all processes of the control group waited for storage."},
		{"process_pressure_io_waiting_seconds_total", TypeCounter, "Time in which some process of the control group waited for storage."},
		{"process_pressure_memory_stalled_seconds_total", TypeCounter, "Time in which all processes of the control group waited for memory."},
		{"process_pressure_memory_waiting_seconds_total", TypeCounter, "Time in which some process of the control group waited for memory."},
		{"process_resident_memory_anon_bytes", TypeGauge, "Resident memory that no file backs."},
		{"process_resident_memory_bytes", TypeGauge, "Resident memory."},
		{"process_resident_memory_file_bytes", TypeGauge, "Resident memory that maps files."},
		{"process_resident_memory_peak_bytes", TypeGauge, "Highest resident memory since the start."},
		{"process_resident_memory_shared_bytes", TypeGauge, "Resident memory shared with other processes."},
		{"process_start_time_seconds", TypeGauge, "When the process started, in seconds since 1970."},
		{"process_virtual_memory_bytes", TypeGauge, "Virtual memory."},
		{"process_virtual_memory_peak_bytes", TypeGauge, "Highest virtual memory since the start."},
	}
}
