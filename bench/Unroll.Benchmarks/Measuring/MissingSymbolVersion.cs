using System.Buffers.Binary;
using System.Text;

namespace Unroll.Benchmarks.Measuring;

/// <summary>Lets a library built against a newer C++ library load on an older one.</summary>
/// <remarks>
/// TorchSharp's libLibTorchSharp.so is built with GCC 13, whose &lt;iostream&gt; names one symbol of GLIBCXX_3.4.32 that it
/// never calls. Where the C++ library is older (Debian 12 has 3.4.30) the loader refuses the file for that name alone.
/// Marked weak, the symbol and its version may be absent; where they are present nothing changes.
/// Format: Linux Standard Base, "Symbol Versioning"; System V ABI, "Symbol Table".
/// </remarks>
static class MissingSymbolVersion
{
    const int SectionTypeDynamicSymbols = 11;
    const int SectionTypeNeededVersions = 0x6ffffffe;
    const ushort WeakVersionFlag = 2;
    const byte WeakBinding = 2 << 4;
    const int SymbolBytes = 24;

    /// <summary>Marks the undefined symbol and its version weak in a copy of a library; harmless if they are already.</summary>
    /// <param name="path">A 64-bit little-endian ELF file, changed in place.</param>
    /// <param name="symbol">The symbol's name.</param>
    /// <param name="version">The version it is wanted in.</param>
    /// <returns>Whether the file was changed.</returns>
    public static bool MakeOptional(string path, string symbol, string version)
    {
        var file = File.ReadAllBytes(path);
        if (file.Length < 64 || !file.AsSpan(0, 6).SequenceEqual("\u007fELF\u0002\u0001"u8))
            return false;
        var changed = false;
        foreach (var section in Sections(file))
        {
            var names = Sections(file).ElementAtOrDefault(section.Link).Offset;
            if (section.Type == SectionTypeDynamicSymbols)
                changed |= WeakenSymbol(file, section, names, symbol);
            else if (section.Type == SectionTypeNeededVersions)
                changed |= WeakenVersion(file, section, names, version);
        }

        if (changed)
            File.WriteAllBytes(path, file);
        return changed;
    }

    /// <summary>Elf64_Sym: name 4, info 1 (binding in its high half), other 1, section 2, value 8, size 8.</summary>
    static bool WeakenSymbol(byte[] file, Section section, int names, string symbol)
    {
        for (var at = section.Offset; at < section.Offset + section.Size; at += SymbolBytes)
        {
            var isUndefined = BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(at + 6)) == 0;
            var weak = (byte)(WeakBinding | (file[at + 4] & 15));
            if (!isUndefined || file[at + 4] == weak || Text(file, names + Int(file, at)) != symbol)
                continue;
            file[at + 4] = weak;
            return true;
        }

        return false;
    }

    /// <summary>
    /// Elf64_Verneed: version 2, count 2, file 4, aux 4, next 4. Elf64_Vernaux: hash 4, flags 2, other 2, name 4, next 4.
    /// </summary>
    static bool WeakenVersion(byte[] file, Section section, int names, string version)
    {
        var changed = false;
        var need = section.Offset;
        for (var remaining = section.Info; remaining > 0; remaining--)
        {
            var auxiliary = need + Int(file, need + 8);
            for (int count = BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(need + 2)); count > 0; count--)
            {
                var flags = file.AsSpan(auxiliary + 4, 2);
                var before = BinaryPrimitives.ReadUInt16LittleEndian(flags);
                if ((before & WeakVersionFlag) == 0 && Text(file, names + Int(file, auxiliary + 8)) == version)
                {
                    BinaryPrimitives.WriteUInt16LittleEndian(flags, (ushort)(before | WeakVersionFlag));
                    changed = true;
                }

                auxiliary += Int(file, auxiliary + 12);
            }

            need += Int(file, need + 12);
        }

        return changed;
    }

    /// <summary>Elf64_Shdr: name 4, type 4, flags 8, address 8, offset 8, size 8, link 4, info 4, alignment 8, entry 8.</summary>
    static IEnumerable<Section> Sections(byte[] file)
    {
        var table = Int(file, 40);
        int size = BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(58)), count = BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(60));
        for (var at = table; at < table + (count * size); at += size)
            yield return new Section(Int(file, at + 4), Int(file, at + 24), Int(file, at + 32), Int(file, at + 40), Int(file, at + 44));
    }

    static int Int(byte[] file, int at) => BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(at));

    static string Text(byte[] file, int at) => Encoding.ASCII.GetString(file.AsSpan(at, file.AsSpan(at).IndexOf((byte)0)));

    readonly record struct Section(int Type, int Offset, int Size, int Link, int Info);
}
